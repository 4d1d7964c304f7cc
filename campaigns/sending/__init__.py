"""From the schedule to the platform: what is on its way, what stops it, and who watches it."""
