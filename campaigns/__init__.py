"""What we do: voices, messages, approvals and deliveries."""
