"""Plain data: values that are compared and written as what they hold, tables as text and as HTML."""
