# One function as a Cloud Run service of the one image, for callers whom IAM lets through.

resource "google_cloud_run_v2_service" "main" {
  project              = var.project_id
  location             = var.region
  name                 = var.name
  description          = var.description
  labels               = var.labels
  deletion_protection  = false # xnovu_app/protection.tf protects the whole
  ingress              = var.ingress
  invoker_iam_disabled = false
  # Cloud Scheduler and uptime checks call this address.
  default_uri_disabled = false

  template {
    service_account = var.service_account_email
    labels          = var.labels
    # The functions answer within 8 s whatever happens (docs/functions.md), but for autoscale's longer calls.
    timeout = "${var.timeout_seconds}s"
    # Less than a whole processor is to be had for one call at a time, in the first generation alone.
    max_instance_request_concurrency = var.cpu < 1 ? 1 : var.concurrency
    execution_environment            = var.cpu < 1 ? "EXECUTION_ENVIRONMENT_GEN1" : null

    scaling {
      min_instance_count = 0
      max_instance_count = var.max_instances
    }

    containers {
      name  = "main"
      image = var.image
      args  = ["function"]

      ports {
        container_port = 8080
      }

      env {
        name  = "FUNCTION_TARGET"
        value = var.target
      }

      dynamic "env" {
        for_each = var.environment

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
        cpu_idle          = !var.cpu_always
        startup_cpu_boost = true
        limits = {
          cpu    = tostring(var.cpu)
          memory = var.memory
        }
      }

      startup_probe {
        period_seconds    = 2
        timeout_seconds   = 2
        failure_threshold = 30

        tcp_socket {
          port = 8080
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

  traffic {
    type    = "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST"
    percent = 100
  }

  lifecycle {
    ignore_changes = [client, client_version]
  }
}

# A function that looks at signatures, and at nobody's identity.
resource "google_cloud_run_v2_service_iam_member" "anybody" {
  count = var.public ? 1 : 0

  project  = var.project_id
  location = var.region
  name     = google_cloud_run_v2_service.main.name
  role     = "roles/run.invoker"
  member   = "allUsers"
}

resource "google_cloud_run_v2_service_iam_member" "invoker" {
  for_each = var.invokers

  project  = var.project_id
  location = var.region
  name     = google_cloud_run_v2_service.main.name
  role     = "roles/run.invoker"
  member   = each.value
}
