"""Bytes of one file format to rows of text."""
