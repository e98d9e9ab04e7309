# Counters of log lines, for the dashboard and for containers_failing.

resource "google_logging_metric" "main" {
  for_each = { for metric in yamldecode(file("${path.module}/log_metrics.yaml")).log_metrics : metric.name => metric }

  project          = var.project_id
  name             = "${var.prefix}/${each.key}"
  description      = each.value.description
  filter           = templatestring(each.value.filter, local.names)
  label_extractors = each.value.labels

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
    unit        = "1"

    dynamic "labels" {
      for_each = each.value.labels

      content {
        key        = labels.key
        value_type = "STRING"
      }
    }
  }
}
