"""What operators use: start-up, API keys, backups and the doctor, retention, webhooks."""
