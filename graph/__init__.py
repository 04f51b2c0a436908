"""The conversation: one LangGraph workflow from a customer's message to a checked, cited answer."""
