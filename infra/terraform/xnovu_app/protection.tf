# What keeps a deployment from being mistaken for another, or taken down by mistake.

# Each environment has a state of its own. With the values of another on it, everything would be replaced.
resource "terraform_data" "environment" {
  input = var.environment

  lifecycle {
    ignore_changes = [input]

    postcondition {
      condition     = self.output == var.environment
      error_message = "This is the state of ${self.output}, and the values are those of ${var.environment}: run terraform init with -reconfigure and the prefix xnovu/${var.environment}."
    }
  }
}

# Taken away before all that it stands on, and it refuses: terraform destroy then changes nothing at all. It is there once
# everything else is, so what failed the first time is replaced by the next apply; the provider's own deletion_protection
# would refuse that too, for ever.
resource "terraform_data" "protection" {
  input            = { is_on = var.deletion_protection && !var.decommissioning ? "yes" : "no" }
  triggers_replace = [var.project_id, var.region]

  provisioner "local-exec" {
    when    = destroy
    command = "[ '${self.input.is_on}' = no ] || { echo 'This deployment is protected: apply with -var decommissioning=true first.' >&2; exit 1; }"
  }

  depends_on = [
    google_cloud_run_v2_job.deploy,
    google_cloud_run_v2_worker_pool_iam_member.autoscale,
    google_cloud_run_v2_worker_pool_iam_member.temporal,
    google_cloud_scheduler_job.autoscale,
    module.autoscale,
    module.health,
    module.listener,
    module.observability,
    module.status,
    module.trigger,
    module.webhook,
    module.worker,
    terraform_data.environment,
  ]
}
