"""Google Cloud Run, as far as we steer it. Loads sixty megabytes: import it only where a pool is scaled."""
