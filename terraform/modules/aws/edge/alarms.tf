# What docs/operating.md calls worth an alert, of what the agent publishes, and a dashboard of it.
locals {
  alarms = var.alarms.enabled ? {
    not-ready   = { metric = "Ready", statistic = "Minimum", comparison = "LessThanThreshold", threshold = 1, minutes = 10, missing = "breaching", about = "An edge is not fit for traffic for longer than a drain or a start, or says nothing." }
    load        = { metric = "EdgeLoad", statistic = "Average", comparison = "GreaterThanThreshold", threshold = 0.8, minutes = 5, missing = "notBreaching", about = "The edges are busy, and scaling does not keep up." }
    gaps        = { metric = "EdgeGaps", statistic = "Sum", comparison = "GreaterThanThreshold", threshold = 0, minutes = 1, missing = "notBreaching", about = "Clients were told that frames are gone." }
    certificate = { metric = "CertDays", statistic = "Minimum", comparison = "LessThanThreshold", threshold = 14, minutes = 5, missing = "notBreaching", about = "An edge's certificate ends within 14 days: restart it, and it makes a new one." }
  } : {}

  widgets = [
    { title = "Sockets", metrics = [["EdgeSockets", "Sum"], ["EdgeSockets", "Average"]] },
    { title = "Load (0 to 1)", metrics = [["EdgeLoad", "Average"], ["EdgeLoad", "Maximum"]] },
    { title = "Frames delivered a minute", metrics = [["EdgeFramesDelivered", "Sum"]] },
    { title = "Gaps told", metrics = [["EdgeGaps", "Sum"]] },
    { title = "Edges that are fit for traffic", metrics = [["Ready", "Sum"]] },
    { title = "Days that certificates are good", metrics = [["CertDays", "Minimum"]] },
  ]
}

resource "aws_cloudwatch_metric_alarm" "edge" {
  for_each            = local.alarms
  region              = var.region
  alarm_name          = "${local.group}-${each.key}"
  alarm_description   = each.value.about
  namespace           = "Selvedge"
  metric_name         = each.value.metric
  dimensions          = { AutoScalingGroupName = local.group }
  statistic           = each.value.statistic
  comparison_operator = each.value.comparison
  threshold           = each.value.threshold
  period              = 60
  evaluation_periods  = each.value.minutes
  treat_missing_data  = each.value.missing
  alarm_actions       = var.alarms.actions
  ok_actions          = var.alarms.actions
  tags                = local.tags
}

resource "aws_cloudwatch_dashboard" "edge" {
  count          = var.dashboard ? 1 : 0
  region         = var.region
  dashboard_name = local.group
  dashboard_body = jsonencode({
    widgets = [for i, w in local.widgets : {
      type   = "metric"
      x      = 8 * (i % 3)
      y      = 6 * floor(i / 3)
      width  = 8
      height = 6
      properties = {
        title   = w.title
        region  = var.region
        period  = 60
        view    = "timeSeries"
        metrics = [for m in w.metrics : ["Selvedge", m[0], "AutoScalingGroupName", local.group, { stat = m[1] }]]
      }
    }]
  })
}
