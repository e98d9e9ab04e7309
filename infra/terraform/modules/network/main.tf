# A way out through one address that does not change, for the allow-lists of Temporal, Supabase or Novu.

resource "google_compute_network" "main" {
  #checkov:skip=CKV2_GCP_18:Nothing in it listens; what is not allowed in is refused by the network itself.
  project                 = var.project_id
  name                    = var.name
  auto_create_subnetworks = false
}

resource "google_compute_subnetwork" "main" {
  #checkov:skip=CKV_GCP_26:Flow logs cost more than the traffic, which goes to three known addresses.
  project                  = var.project_id
  region                   = var.region
  name                     = var.name
  network                  = google_compute_network.main.id
  ip_cidr_range            = var.cidr
  private_ip_google_access = true
}

resource "google_compute_address" "main" {
  project      = var.project_id
  region       = var.region
  name         = var.name
  address_type = "EXTERNAL"
}

resource "google_compute_router" "main" {
  project = var.project_id
  region  = var.region
  name    = var.name
  network = google_compute_network.main.id
}

resource "google_compute_router_nat" "main" {
  project                            = var.project_id
  region                             = var.region
  name                               = var.name
  router                             = google_compute_router.main.name
  nat_ip_allocate_option             = "MANUAL_ONLY"
  nat_ips                            = [google_compute_address.main.self_link]
  source_subnetwork_ip_ranges_to_nat = "LIST_OF_SUBNETWORKS"
  # A worker holds hundreds of connections to one address (Novu, Supabase): the default of 64 ports would not do.
  enable_dynamic_port_allocation = true
  min_ports_per_vm               = 256
  max_ports_per_vm               = 4096

  subnetwork {
    name                    = google_compute_subnetwork.main.id
    source_ip_ranges_to_nat = ["ALL_IP_RANGES"]
  }

  # Dynamic port allocation excludes it.
  enable_endpoint_independent_mapping = false

  log_config {
    enable = true
    filter = "ERRORS_ONLY"
  }
}
