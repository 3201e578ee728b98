"""What of AWS the local runtime knows. Everything that isn't in these tables is refused."""

EMULATED = frozenset(
    {
        "AWS::ApiGatewayV2::Api",
        "AWS::ApiGatewayV2::Stage",
        "AWS::Athena::WorkGroup",
        "AWS::CloudWatch::Alarm",
        "AWS::CloudWatch::Dashboard",
        "AWS::DynamoDB::Table",
        "AWS::Glue::Database",
        "AWS::Glue::Table",
        "AWS::IAM::ManagedPolicy",
        "AWS::IAM::Policy",
        "AWS::IAM::Role",
        "AWS::KMS::Alias",
        "AWS::KMS::Key",
        "AWS::Kinesis::Stream",
        "AWS::Lambda::EventSourceMapping",
        "AWS::Lambda::Function",
        "AWS::Lambda::Permission",
        "AWS::Logs::LogGroup",
        "AWS::S3::Bucket",
        "AWS::S3::BucketPolicy",
        "AWS::SNS::Subscription",
        "AWS::SNS::Topic",
        "AWS::SNS::TopicPolicy",
        "AWS::SQS::Queue",
        "AWS::SQS::QueuePolicy",
        "AWS::SSM::Parameter",
        "AWS::Scheduler::Schedule",
        "AWS::StepFunctions::StateMachine",
    }
)
"""Resource types that run locally, in the emulator or in a part of the local runtime."""

NOT_SIMULATED = {
    "AWS::Athena::NamedQuery": "saved queries are kept by the console only",
    "AWS::Lambda::LayerVersion": "functions import their packages from the work tree",
}
"""Resource types that are left out on purpose, and why that changes nothing on a laptop."""

MAPPING_PROPERTIES = frozenset(
    {
        "BatchSize",
        "BisectBatchOnFunctionError",
        "DestinationConfig",
        "Enabled",
        "EventSourceArn",
        "FunctionName",
        "FunctionResponseTypes",
        "MaximumBatchingWindowInSeconds",
        "MaximumRecordAgeInSeconds",
        "MaximumRetryAttempts",
        "ParallelizationFactor",
        "StartingPosition",
        "StartingPositionTimestamp",
    }
)
"""Properties of an event source mapping that the poller obeys."""

MAPPING_PROPERTIES_REFUSED = {
    "FilterCriteria": "records would reach the function here that AWS keeps from it",
    "TumblingWindowInSeconds": "no state is carried from one invocation to the next",
    "ProvisionedPollerConfig": "there is one poller",
    "Queues": "the local poller reads Kinesis streams only",
    "Topics": "the local poller reads Kinesis streams only",
}
"""Properties of an event source mapping that would change what a function gets, and don't here."""

MAPPING_PROPERTIES_NOT_SIMULATED = {
    "KmsKeyArn": "it encrypts filters, and there are none",
    "MetricsConfig": "the mapping's own CloudWatch metrics are not published",
    "Tags": "they change nothing",
}
"""Properties of an event source mapping that are left out on purpose, and why."""
