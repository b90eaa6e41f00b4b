"""Other tools of the field: what is trained here runs there, and is measured by them."""
