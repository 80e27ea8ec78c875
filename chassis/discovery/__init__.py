"""Where the instances of a service are: values and sources. What a caller does with them is its own matter."""
