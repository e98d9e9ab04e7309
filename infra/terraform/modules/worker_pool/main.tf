# A worker pool, whose number of instances Terraform sets, or a scaler.

locals {
  probe_port  = 8080
  environment = merge(var.environment, { PROBE_PORT = tostring(local.probe_port) })
}

resource "google_cloud_run_v2_worker_pool" "main" {
  project             = var.project_id
  location            = var.region
  name                = var.name
  description         = var.description
  labels              = var.labels
  deletion_protection = false # xnovu_app/protection.tf protects the whole

  # Said by Terraform only where it is Terraform's to say: the provider takes what is left out as it finds it. Cloud Run makes
  # a pool without a number with one instance.
  dynamic "scaling" {
    for_each = var.instances[*]

    content {
      scaling_mode          = "MANUAL"
      manual_instance_count = scaling.value
    }
  }

  template {
    service_account = var.service_account_email
    labels          = var.labels

    containers {
      name  = "main"
      image = var.image
      args  = var.args

      dynamic "env" {
        for_each = local.environment

        content {
          name  = env.key
          value = env.value
        }
      }

      dynamic "env" {
        for_each = var.secrets

        content {
          name = env.key

          value_source {
            secret_key_ref {
              secret  = env.value.secret
              version = tostring(env.value.version)
            }
          }
        }
      }

      resources {
        limits = {
          cpu    = var.cpu
          memory = var.memory
        }
      }

      # Four minutes, the most that Cloud Run allows: Temporal or Supabase may be away while we start.
      startup_probe {
        period_seconds    = 5
        timeout_seconds   = 3
        failure_threshold = 48

        http_get {
          path = "/startup"
          port = local.probe_port
        }
      }

      # Only our own loop is looked at; half a minute of silence is a process that will not come back by itself.
      liveness_probe {
        period_seconds    = 10
        timeout_seconds   = 5
        failure_threshold = 3

        http_get {
          path = "/livez"
          port = local.probe_port
        }
      }
    }

    dynamic "vpc_access" {
      for_each = var.vpc_access[*]

      content {
        egress = vpc_access.value.egress

        network_interfaces {
          network    = vpc_access.value.network
          subnetwork = vpc_access.value.subnetwork
          tags       = vpc_access.value.tags
        }
      }
    }
  }

  lifecycle {
    ignore_changes = [
      annotations,
      client,
      client_version,
    ]
  }
}

# As this was before, written once for either who counts: one of them is there.
moved {
  from = google_cloud_run_v2_worker_pool.scaled[0]
  to   = google_cloud_run_v2_worker_pool.fixed[0]
}

moved {
  from = google_cloud_run_v2_worker_pool.fixed[0]
  to   = google_cloud_run_v2_worker_pool.main
}
