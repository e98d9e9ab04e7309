# What we promise, over 28 days. The alerts delivery_slow_burning_fast and delivery_slow_burning watch the first.

resource "google_monitoring_custom_service" "main" {
  project      = var.project_id
  service_id   = var.prefix
  display_name = var.prefix
  user_labels  = var.labels
}

locals {
  of_this_job = var.metrics_job == null ? "" : " AND resource.labels.job = monitoring.regex.full_match(\"${coalesce(var.metrics_job, "-")}\")"
}

resource "google_monitoring_slo" "delivered_within_a_minute" {
  count = var.delivery_slos ? 1 : 0

  project             = var.project_id
  service             = google_monitoring_custom_service.main.service_id
  slo_id              = "delivered-within-a-minute"
  display_name        = "99.5 % of batches have their outcome within 60 s of the commit"
  goal                = 0.995
  rolling_period_days = 28
  user_labels         = var.labels

  request_based_sli {
    distribution_cut {
      distribution_filter = "metric.type = \"prometheus.googleapis.com/xnovu.notification.commit_to_outcome.duration/histogram\" AND resource.type = \"prometheus_target\"${local.of_this_job}"

      range {
        max = 60 # seconds
      }
    }
  }
}

resource "google_monitoring_slo" "heard" {
  count = var.delivery_slos ? 1 : 0

  project             = var.project_id
  service             = google_monitoring_custom_service.main.service_id
  slo_id              = "heard"
  display_name        = "99.9 % of minutes every enterprise's row changes are heard"
  goal                = 0.999
  rolling_period_days = 28
  user_labels         = var.labels

  windows_based_sli {
    window_period = "60s"

    metric_mean_in_range {
      time_series = "metric.type = \"prometheus.googleapis.com/xnovu.listener.subscription.live/gauge\" AND resource.type = \"prometheus_target\"${local.of_this_job}"

      range {
        min = 0.99
        max = 1
      }
    }
  }
}

resource "google_monitoring_slo" "trigger_answers" {
  project             = var.project_id
  service             = google_monitoring_custom_service.main.service_id
  slo_id              = "trigger-answers"
  display_name        = "99.9 % of calls to trigger are answered without a 5xx"
  goal                = 0.999
  rolling_period_days = 28
  user_labels         = var.labels

  request_based_sli {
    good_total_ratio {
      bad_service_filter   = "${local.calls_to_trigger} AND metric.labels.response_code_class = \"5xx\""
      total_service_filter = local.calls_to_trigger
    }
  }
}

locals {
  calls_to_trigger = "metric.type = \"run.googleapis.com/request_count\" AND resource.type = \"cloud_run_revision\" AND resource.labels.service_name = \"${var.trigger_service_name}\" AND resource.labels.location = \"${var.region}\""
}
