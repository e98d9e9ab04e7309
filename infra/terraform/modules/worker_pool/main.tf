# A worker pool, written twice: what Terraform ignores cannot depend on a variable. A test holds the two equal, but for
# who sets the number of instances: Terraform, or a scaler.

locals {
  probe_port  = 8080
  environment = merge(var.environment, { PROBE_PORT = tostring(local.probe_port) })
  main        = one(concat(google_cloud_run_v2_worker_pool.fixed, google_cloud_run_v2_worker_pool.scaled))
}

resource "google_cloud_run_v2_worker_pool" "fixed" {
  count = var.counted_by == "terraform" ? 1 : 0

  project             = var.project_id
  location            = var.region
  name                = var.name
  description         = var.description
  labels              = var.labels
  deletion_protection = false # xnovu_app/protection.tf protects the whole

  scaling {
    scaling_mode          = "MANUAL"
    manual_instance_count = var.instances
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
      client,
      client_version,
    ]
  }
}

resource "google_cloud_run_v2_worker_pool" "scaled" {
  count = var.counted_by == "scaler" ? 1 : 0

  project             = var.project_id
  location            = var.region
  name                = var.name
  description         = var.description
  labels              = var.labels
  deletion_protection = false # xnovu_app/protection.tf protects the whole

  scaling {
    scaling_mode          = "MANUAL"
    manual_instance_count = var.instances
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
      scaling[0].manual_instance_count,
    ]
  }
}
