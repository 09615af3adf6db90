"""What a customer sees after the consent: choosing properties and dimensions, progress, disconnecting, and help."""
