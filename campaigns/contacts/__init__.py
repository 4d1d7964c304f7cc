"""Whom a list reaches: contacts, their consent and its end, files they come in, recipients."""
