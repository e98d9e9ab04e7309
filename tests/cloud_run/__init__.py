"""Cloud Run as far as we steer it: its real gRPC protocol, and real processes for instances."""
