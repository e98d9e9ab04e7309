mock_provider "google" {}

variables {
  alert_emails         = ["night@example.org"]
  health_service       = { name = "xnovu-prod-health", uri = "https://xnovu-prod-health-abc.a.run.app" }
  listener_pool_name   = "xnovu-prod-listener"
  prefix               = "xnovu-prod"
  project_id           = "project"
  region               = "europe-west1"
  runbook_url          = "https://example.org/docs/runbook.md"
  trigger_service_name = "xnovu-prod-trigger"
  worker_max_instances = 8
  worker_min_instances = 1
  worker_pool_name     = "xnovu-prod-worker"
}

run "the_alerts_of_an_environment_that_scales_itself" {
  command = plan

  assert {
    condition = output.alerts == {
      activities_late            = "warning"
      containers_failing         = "critical"
      database_unreachable       = "critical"
      deliveries_given_up        = "critical"
      delivery_unheard           = "warning"
      delivery_slow_burning      = "warning"
      delivery_slow_burning_fast = "critical"
      enterprise_failing         = "warning"
      enterprise_not_served      = "warning"
      health_check_failing       = "critical"
      listener_silent            = "critical"
      memory_high                = "warning"
      messages_undelivered       = "warning"
      no_worker_polls            = "critical"
      notifications_failing      = "critical"
      novu_faulting              = "warning"
      novu_payment_required      = "critical"
      orchestration_restarted    = "warning"
      row_changes_late           = "warning"
      row_changes_unreadable     = "warning"
      rows_waiting               = "critical"
      scaler_holding             = "warning"
      scaler_stalled             = "warning"
      subscription_down          = "critical"
      task_backlog_old           = "warning"
      task_backlog_very_old      = "critical"
      temporal_unreachable       = "critical"
      webhooks_refused           = "warning"
      worker_full                = "warning"
      worker_silent              = "critical"
      workers_at_maximum         = "warning"
      workflow_defect            = "critical"
      workflow_message_too_large = "warning"
      workflow_nondeterministic  = "critical"
      workflow_tasks_late        = "warning"
    }
    error_message = "The list of alerts is not the one above: ${jsonencode(output.alerts)}"
  }

  assert {
    condition     = toset(concat(keys(google_monitoring_alert_policy.main), ["health_check_failing"])) == toset(keys(output.alerts))
    error_message = "Every alert is one policy."
  }

  assert {
    condition     = alltrue([for name, policy in google_monitoring_alert_policy.main : policy.severity == upper(output.alerts[name])])
    error_message = "A policy has its alert's severity."
  }

  assert {
    condition     = google_monitoring_alert_policy.health_check_failing.severity == "CRITICAL"
    error_message = "A health function that fails is critical."
  }
}

run "every_alert_says_what_to_do" {
  command = plan

  assert {
    condition = alltrue([
      for name, policy in merge(google_monitoring_alert_policy.main, { health_check_failing = google_monitoring_alert_policy.health_check_failing }) :
      strcontains(policy.documentation[0].content, "(https://example.org/docs/runbook.md#${name})")
      && strcontains(policy.documentation[0].content, "Who notices: ")
      && policy.documentation[0].links[0].url == "https://example.org/docs/runbook.md#${name}"
    ])
    error_message = "Each alert's documentation links to its section of the runbook."
  }

  assert {
    condition     = alltrue([for policy in google_monitoring_alert_policy.main : policy.conditions[0].condition_prometheus_query_language[0].disable_metric_validation])
    error_message = "On the first day no metric was written yet: a policy that checks would be refused."
  }
}

run "queries_name_this_environment" {
  command = plan

  assert {
    condition = alltrue([
      for policy in google_monitoring_alert_policy.main :
      !strcontains(policy.conditions[0].condition_prometheus_query_language[0].query, "$${")
    ])
    error_message = "Nothing is left to be put in."
  }

  assert {
    condition     = strcontains(google_monitoring_alert_policy.main["workers_at_maximum"].conditions[0].condition_prometheus_query_language[0].query, "worker_pool_name=~\"xnovu-prod-worker.*\"}) >= 8")
    error_message = "The pool and its most instances are the environment's."
  }

  assert {
    condition     = strcontains(google_monitoring_alert_policy.main["containers_failing"].conditions[0].condition_prometheus_query_language[0].query, "logging.googleapis.com/user/${google_logging_metric.main["container_failures"].name}\"")
    error_message = "containers_failing asks for the counter that log_metrics.tf makes."
  }

  assert {
    condition     = google_monitoring_alert_policy.main["rows_waiting"].conditions[0].condition_prometheus_query_language[0].query == "max({\"xnovu.backlog.age\"}) > 120"
    error_message = "Without metrics_job queries stay as they are."
  }

  assert {
    condition     = jsondecode(google_monitoring_dashboard.main.dashboard_json).displayName == "XNovu (xnovu-prod)" && !strcontains(google_monitoring_dashboard.main.dashboard_json, "$${")
    error_message = "The dashboard is JSON and names the environment."
  }

  assert {
    condition     = alltrue([for metric in google_logging_metric.main : strcontains(metric.filter, "worker_pool_name=~\"^xnovu-prod-\"")])
    error_message = "Log lines of other environments do not count."
  }
}

run "environments_that_share_a_project_are_told_apart" {
  command = plan

  variables {
    metrics_job = "(.+/)?xnovu-prod-[a-z]+"
  }

  assert {
    condition     = google_monitoring_alert_policy.main["rows_waiting"].conditions[0].condition_prometheus_query_language[0].query == "max({\"xnovu.backlog.age\", job=~\"(.+/)?xnovu-prod-[a-z]+\"}) > 120"
    error_message = "A selector without labels is narrowed."
  }

  assert {
    condition     = strcontains(google_monitoring_alert_policy.main["novu_faulting"].conditions[0].condition_prometheus_query_language[0].query, "{\"xnovu.novu.events\", job=~\"(.+/)?xnovu-prod-[a-z]+\", \"xnovu.result\"=\"fault\"}")
    error_message = "A selector with labels is narrowed."
  }

  assert {
    condition     = !strcontains(google_monitoring_alert_policy.main["memory_high"].conditions[0].condition_prometheus_query_language[0].query, "job=~")
    error_message = "The platform's metrics have no such label."
  }

  assert {
    condition     = length(regexall("job=~", google_monitoring_dashboard.main.dashboard_json)) > 40 && can(jsondecode(google_monitoring_dashboard.main.dashboard_json))
    error_message = "The dashboard's queries are narrowed too, and it is JSON still."
  }
}

run "a_fixed_number_of_workers_needs_no_alert_on_a_scaler" {
  command = plan

  variables {
    autoscaler_mode      = "fixed"
    worker_min_instances = 0
  }

  assert {
    condition     = length(setintersection(keys(output.alerts), ["scaler_holding", "scaler_stalled", "workers_at_maximum", "worker_silent"])) == 0
    error_message = "What is not there cannot fail."
  }
}

run "of_several_listeners_one_that_is_missing_is_told_of" {
  command = plan

  variables {
    listener_count = 3
  }

  assert {
    condition     = output.alerts.listeners_missing == "warning" && endswith(google_monitoring_alert_policy.main["listeners_missing"].conditions[0].condition_prometheus_query_language[0].query, "< 3")
    error_message = "There are to be three: ${google_monitoring_alert_policy.main["listeners_missing"].conditions[0].condition_prometheus_query_language[0].query}"
  }
}

run "temporals_own_scaling_has_none_of_our_scalers_metrics" {
  command = plan

  variables {
    autoscaler_mode = "temporal"
  }

  assert {
    condition     = length(setintersection(keys(output.alerts), ["scaler_holding", "scaler_stalled"])) == 0 && contains(keys(output.alerts), "workers_at_maximum")
    error_message = "The pool's most instances are watched, our scaler is not."
  }
}

run "pagerduty_is_told_of_what_is_critical_only" {
  command = apply

  variables {
    notification_channels         = ["projects/project/notificationChannels/1"]
    pagerduty_service_key         = "key"
    pagerduty_service_key_version = 1
  }

  assert {
    condition     = length(output.notification_channels.critical) == 3 && length(output.notification_channels.warning) == 2
    error_message = "An address, a further channel and, for what is critical, PagerDuty."
  }

  assert {
    condition     = alltrue([for name, policy in google_monitoring_alert_policy.main : length(policy.notification_channels) == (policy.severity == "CRITICAL" ? 3 : 2)])
    error_message = "Policies tell the channels of their severity."
  }

  assert {
    condition     = google_monitoring_notification_channel.email["night@example.org"].labels.email_address == "night@example.org"
    error_message = "The address is told."
  }
}

run "what_is_promised" {
  command = plan

  variables {
    delivery_slos = true
  }

  assert {
    condition     = google_monitoring_slo.delivered_within_a_minute[0].goal == 0.995 && google_monitoring_slo.delivered_within_a_minute[0].request_based_sli[0].distribution_cut[0].range[0].max == 60
    error_message = "99.5 % within 60 s."
  }

  assert {
    condition     = google_monitoring_slo.trigger_answers.goal == 0.999 && strcontains(google_monitoring_slo.trigger_answers.request_based_sli[0].good_total_ratio[0].bad_service_filter, "\"xnovu-prod-trigger\"")
    error_message = "99.9 % of calls to this environment's trigger."
  }

  assert {
    condition     = google_monitoring_uptime_check_config.health.monitored_resource[0].labels.host == "xnovu-prod-health-abc.a.run.app"
    error_message = "The uptime check calls the health function's host."
  }

  assert {
    condition     = length(google_monitoring_uptime_check_config.health.selected_regions) >= 3
    error_message = "Google wants three regions at least, and the alert two that fail."
  }
}

run "the_first_apply_makes_no_slo_on_a_metric_that_was_never_written" {
  command = plan

  assert {
    condition     = length(google_monitoring_slo.delivered_within_a_minute) == 0 && length(google_monitoring_slo.heard) == 0
    error_message = "Google would refuse it, and the apply fail."
  }
}

run "a_runbook_must_have_an_address" {
  command = plan

  variables {
    runbook_url = "docs/runbook.md"
  }

  expect_failures = [var.runbook_url]
}

run "an_unknown_autoscaler_is_refused" {
  command = plan

  variables {
    autoscaler_mode = "magic"
  }

  expect_failures = [var.autoscaler_mode]
}

run "a_job_that_would_break_the_queries_is_refused" {
  command = plan

  variables {
    metrics_job = "a\"b"
  }

  expect_failures = [var.metrics_job]
}
