"""A 3CX simulator over real HTTP; shares no code with the client it tests."""
