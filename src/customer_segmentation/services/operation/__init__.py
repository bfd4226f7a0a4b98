"""What operators use: the audit log, API keys, backups and the doctor, retention, webhooks."""
