"""Customers: adding, changing, deleting, erasing; explaining and predicting their segments."""
