"""The fault injector: raises an exception that nobody foresaw at any await of our code, with no hook in that code."""
