"""Every Protocol between our code and the outside, a file for each.

Adapters implement them; only bootstrap modules choose one.

Import from here: where in the package a name stands is nobody's business.
"""

from shared.ports.delivery_accounts import DeliveryAccounts, DeliveryLook, LookedAt, RecordedDelivery, TakenLooks
from shared.ports.enterprise_store import (
    NOTHING_OF_ITS_OWN,
    EnterpriseStore,
    OwnSettings,
    ServedEnterprises,
    ToldEnterprises,
)
from shared.ports.health_store import HealthStore
from shared.ports.heartbeat_store import HeartbeatStore
from shared.ports.notification_activity import ActivityPage, ActivityUnavailable, AnswerTooLarge, NotificationActivity
from shared.ports.notification_claims import HeldClaim, NotificationClaims
from shared.ports.notification_store import DueNotifications, FeedFlaw, LookoutFindings, NotificationStore
from shared.ports.notification_trigger import (
    FaultCode,
    NotificationTrigger,
    TriggerAccepted,
    TriggerEvent,
    TriggerFault,
    TriggerRefused,
    TriggerResult,
    TriggerUnknown,
)
from shared.ports.novu_rates import NovuRates, PutOff
from shared.ports.novu_tokens import NovuTokens, RateCategory, TokenBlock
from shared.ports.orchestration_store import OrchestrationStore, SchedulerPass, Unaccounted
from shared.ports.processing_starter import ProcessingStarter
from shared.ports.recipient_store import RecipientStore
from shared.ports.retraction_store import RetractedNotification, RetractionStore
from shared.ports.row_change_feed import (
    ChangeType,
    FeedEvent,
    FeedGap,
    FeedLate,
    FeedState,
    FeedStatus,
    FeedWay,
    RowChange,
    RowChangeFeed,
    RowRetracted,
    RowScheduled,
    RuleChanged,
)
from shared.ports.rule_store import CronRule, CronRules, FiredRules, RuleFirings, RuleStore
from shared.ports.scaler_memory import ScalerMemory, ScalerTick
from shared.ports.schedule_store import DueScheduled, ScheduleStore
from shared.ports.sent_notification_cancelling import CancelFailed, SentNotificationCancelling
from shared.ports.share_store import ShareOut, ShareStore
from shared.ports.shared_work import DueEnterprises, SharedWork
from shared.ports.store_unavailable import StoreAnswerTooLarge, StoreUnavailable
from shared.ports.subscriber_credentials import SubscriberCredentials
from shared.ports.taken_events import TakenEvents
from shared.ports.temporal_observing import TemporalObserving
from shared.ports.trigger_store import (
    CreatedNotification,
    CreateRefusal,
    IdempotencyKey,
    KeyUse,
    NewNotification,
    TriggerableNotification,
    TriggerStore,
)
from shared.ports.worker_pool import PoolChanged, PoolCount, PoolUnavailable, WorkerPool

__all__ = [
    "NOTHING_OF_ITS_OWN",
    "ActivityPage",
    "ActivityUnavailable",
    "AnswerTooLarge",
    "CancelFailed",
    "ChangeType",
    "CreateRefusal",
    "CreatedNotification",
    "CronRule",
    "CronRules",
    "DeliveryAccounts",
    "DeliveryLook",
    "DueEnterprises",
    "DueNotifications",
    "DueScheduled",
    "EnterpriseStore",
    "FaultCode",
    "FeedEvent",
    "FeedFlaw",
    "FeedGap",
    "FeedLate",
    "FeedState",
    "FeedStatus",
    "FeedWay",
    "FiredRules",
    "HealthStore",
    "HeartbeatStore",
    "HeldClaim",
    "IdempotencyKey",
    "KeyUse",
    "LookedAt",
    "LookoutFindings",
    "NewNotification",
    "NotificationActivity",
    "NotificationClaims",
    "NotificationStore",
    "NotificationTrigger",
    "NovuRates",
    "NovuTokens",
    "OrchestrationStore",
    "OwnSettings",
    "PoolChanged",
    "PoolCount",
    "PoolUnavailable",
    "ProcessingStarter",
    "PutOff",
    "RateCategory",
    "RecipientStore",
    "RecordedDelivery",
    "RetractedNotification",
    "RetractionStore",
    "RowChange",
    "RowChangeFeed",
    "RowRetracted",
    "RowScheduled",
    "RuleChanged",
    "RuleFirings",
    "RuleStore",
    "ScalerMemory",
    "ScalerTick",
    "ScheduleStore",
    "SchedulerPass",
    "SentNotificationCancelling",
    "ServedEnterprises",
    "ShareOut",
    "ShareStore",
    "SharedWork",
    "StoreAnswerTooLarge",
    "StoreUnavailable",
    "SubscriberCredentials",
    "TakenEvents",
    "TakenLooks",
    "TemporalObserving",
    "TokenBlock",
    "ToldEnterprises",
    "TriggerAccepted",
    "TriggerEvent",
    "TriggerFault",
    "TriggerRefused",
    "TriggerResult",
    "TriggerStore",
    "TriggerUnknown",
    "TriggerableNotification",
    "Unaccounted",
    "WorkerPool",
]
