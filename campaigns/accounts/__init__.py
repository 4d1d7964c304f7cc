"""How the accounts of voices are opened, kept open, and known: sign-ins, and servers' rules."""
