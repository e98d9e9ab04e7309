"""What Novu tells the outside of messages: signed requests, repeated until they are answered."""
