"""Filter session recordings by the customer's own Google Analytics segments."""
