"""Talking to 3CX: reading the contacts, and the one conditional DELETE."""
