"""Google's Admin and Data API as this product calls them, and nothing of what the product then decides.

``requests``  pure: the exact request shapes, one function each
``client``    the network, thin: Google's own gRPC clients, a token and a deadline on every call
``listing``   pure: what the Admin API lists, as plain values
``answers``   pure: one answer to a report, raw protobuf as columns, flags and quotas
``reading``   pure: a day's answers as one reading, junk dropped and counted
``quota``     pure: what a property's quotas leave us, and when an exhausted one is worth asking again
``errors``    every refusal by name: whose fault it is, whether waiting helps, what to do
"""
