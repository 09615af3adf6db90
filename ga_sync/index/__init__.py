"""The filter index: which recordings a filter is true of, exactly, from one value a day.

`expression` and `notation` read filters, `day` is one day as a value and as bytes, `query` answers
from all days of a link, `cursor` seals a place in the answer. Everything here is pure; storing,
sealing and caching days happens around it.
"""
