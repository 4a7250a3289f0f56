"""Who is told of what: the inbox, mails, webhooks. Nothing here decides about the record."""
