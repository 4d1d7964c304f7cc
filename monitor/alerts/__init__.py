"""Alerts: a warning to people who can act, its course and its clock."""
