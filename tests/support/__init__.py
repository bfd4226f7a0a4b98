"""What tests share: servers, commands, files, databases, examples."""
