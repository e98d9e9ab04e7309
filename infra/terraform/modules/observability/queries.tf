# What Terraform puts into the queries of alerts.yaml, log_metrics.yaml and dashboard.json.

locals {
  names = {
    listener_pool_name   = var.listener_pool_name
    prefix               = var.prefix
    listener_count       = var.listener_count
    worker_max_instances = var.worker_max_instances
    worker_pool_name     = var.worker_pool_name
  }

  # {"xnovu.backlog.age"} becomes {"xnovu.backlog.age", job=~"..."}; in JSON the quotes have backslashes before them.
  ours     = "/\\{(\\\\?\")((?:xnovu[.]|temporal_|http[.]client[.]|process[.])[^\"\\\\]+)\\\\?\"/"
  with_job = var.metrics_job == null ? "{$1$2$1" : "{$1$2$1, job=~$1${coalesce(var.metrics_job, "-")}$1"
}
