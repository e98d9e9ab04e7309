# With a pool for each build: what gives the new build the work, once it is well. `xnovu deploy set-current` runs here and not
# in Cloud Build, which is so given no key of Temporal's; whoever applies starts it (infra/cloudbuild/deploy).

resource "google_cloud_run_v2_job" "deploy" {
  count = var.worker_versioning ? 1 : 0

  project             = var.project_id
  location            = var.region
  name                = "${local.prefix}-deploy"
  labels              = merge(local.labels, { part = "deploy" })
  deletion_protection = false # protection.tf protects the whole

  template {
    labels = merge(local.labels, { part = "deploy" })

    template {
      service_account = local.accounts.worker
      max_retries     = 1
      timeout         = "400s" # five minutes for a worker to poll, and Temporal's own for the change

      containers {
        image = var.image
        args  = ["deploy", "set-current", split("@", var.image)[1], "--wait", "300"]

        dynamic "env" {
          for_each = merge(
            { for name, value in local.connections : name => value if startswith(name, "TEMPORAL_") },
            { TEMPORAL_WORKER_DEPLOYMENT_NAME = local.prefix },
          )

          content {
            name  = env.key
            value = env.value
          }
        }

        dynamic "env" {
          for_each = { for name, version in local.secrets : name => version if startswith(name, "TEMPORAL_") }

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
            cpu    = "1"
            memory = "512Mi"
          }
        }
      }

      dynamic "vpc_access" {
        for_each = local.vpc_access[*]

        content {
          egress = vpc_access.value.egress

          network_interfaces {
            network    = vpc_access.value.network
            subnetwork = vpc_access.value.subnetwork
            tags       = try(vpc_access.value.tags, [])
          }
        }
      }
    }
  }

  lifecycle {
    ignore_changes = [client, client_version]
  }

  depends_on = [data.google_secret_manager_secret_version.main]
}
