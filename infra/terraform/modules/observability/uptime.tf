# The health function is called from the regions of Google's uptime checks; two that fail are an alert.

locals {
  health_check = local.alerts["health_check_failing"]
}

resource "google_monitoring_uptime_check_config" "health" {
  project          = var.project_id
  display_name     = "${var.prefix}: health"
  period           = "60s"
  timeout          = "10s"
  selected_regions = ["EUROPE", "USA_OREGON", "USA_VIRGINIA"]
  user_labels      = var.labels

  http_check {
    path         = "/health"
    port         = 443
    use_ssl      = true
    validate_ssl = true

    accepted_response_status_codes {
      status_class = "STATUS_CLASS_2XX"
    }

    service_agent_authentication {
      type = "OIDC_TOKEN"
    }
  }

  monitored_resource {
    type = "uptime_url"
    labels = {
      host       = trimsuffix(trimprefix(var.health_service.uri, "https://"), "/")
      project_id = var.project_id
    }
  }

  # Another address (a region moves) is another check, and Google deletes none that an alert still names.
  lifecycle {
    create_before_destroy = true
  }
}

resource "google_monitoring_alert_policy" "health_check_failing" {
  project               = var.project_id
  display_name          = "${var.prefix}: ${local.health_check.title}"
  combiner              = "OR"
  severity              = upper(local.health_check.severity)
  notification_channels = local.channels[local.health_check.severity]
  user_labels           = merge(var.labels, { alert = "health_check_failing" })

  conditions {
    display_name = local.health_check.title

    condition_threshold {
      filter          = <<-FILTER
        resource.type = "uptime_url"
        AND metric.type = "monitoring.googleapis.com/uptime_check/check_passed"
        AND metric.labels.check_id = "${google_monitoring_uptime_check_config.health.uptime_check_id}"
      FILTER
      comparison      = "COMPARISON_GT"
      threshold_value = 1 # regions
      duration        = local.health_check.for

      aggregations {
        alignment_period     = "120s"
        per_series_aligner   = "ALIGN_NEXT_OLDER"
        cross_series_reducer = "REDUCE_COUNT_FALSE"
        group_by_fields      = ["resource.label.host"]
      }

      trigger {
        count = 1
      }
    }
  }

  alert_strategy {
    auto_close           = "1800s"
    notification_prompts = ["OPENED", "CLOSED"]
  }

  documentation {
    subject   = "${var.prefix}: ${local.health_check.title}"
    content   = local.documentation["health_check_failing"]
    mime_type = "text/markdown"

    links {
      display_name = "Runbook"
      url          = "${var.runbook_url}#health_check_failing"
    }
  }
}
