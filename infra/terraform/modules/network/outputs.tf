output "address" {
  description = "The address from which everything goes out."
  value       = google_compute_address.main.address
}

output "vpc_access" {
  description = "What worker_pool and function take. Known once the way out is open."
  value = {
    egress     = "ALL_TRAFFIC"
    network    = google_compute_network.main.id
    subnetwork = google_compute_subnetwork.main.id
  }
  depends_on = [google_compute_router_nat.main]
}
