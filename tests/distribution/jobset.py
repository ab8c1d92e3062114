"""What Kubernetes's JobSet v1alpha2 expects of the parts of it that our recipes use: names and
types of fields, after its CRD (kubernetes-sigs/jobset, config/components/crd).
"""

INT_OR_STRING = (int, str)
MAP = {str: str}  # of any names

METADATA = {"name!": str, "namespace": str, "labels": MAP, "annotations": MAP}
ENVIRONMENT = {
    "name!": str,
    "value": str,
    "valueFrom": {"fieldRef": {"apiVersion": str, "fieldPath!": str}},
}
CONTAINER = {
    "name!": str,
    "image": str,
    "command": [str],
    "args": [str],
    "env": [ENVIRONMENT],
    "ports": [{"name": str, "containerPort!": int, "protocol": str}],
    "resources": {"limits": {str: INT_OR_STRING}, "requests": {str: INT_OR_STRING}},
    "volumeMounts": [{"name!": str, "mountPath!": str, "readOnly": bool, "subPath": str}],
    "workingDir": str,
}
POD = {
    "containers!": [CONTAINER],
    "nodeSelector": MAP,
    "restartPolicy": str,
    "serviceAccountName": str,
    "terminationGracePeriodSeconds": int,
    "volumes": [{"name!": str, "persistentVolumeClaim": {"claimName!": str, "readOnly": bool}}],
}
JOB = {
    "activeDeadlineSeconds": int,
    "backoffLimit": int,
    "completionMode": str,
    "completions": int,
    "parallelism": int,
    "template!": {"metadata": METADATA, "spec": POD},
    "ttlSecondsAfterFinished": int,
}
REPLICATED_JOB = {
    "name!": str,
    "groupName": str,
    "replicas": int,
    "template!": {"metadata": METADATA, "spec": JOB},
}
JOBSET = {
    "apiVersion!": str,
    "kind!": str,
    "metadata!": METADATA,
    "spec!": {
        "failurePolicy": {"maxRestarts": int, "restartStrategy": str},
        "network": {
            "enableDNSHostnames": bool,
            "publishNotReadyAddresses": bool,
            "subdomain": str,
        },
        "replicatedJobs": [REPLICATED_JOB],
        "successPolicy": {"operator!": str, "targetReplicatedJobs": [str]},
        "suspend": bool,
        "ttlSecondsAfterFinished": int,
    },
}


def problems(value, expected, path=""):
    """Where a value is not as a table says; a "!" behind a name: the field has to be there."""
    if isinstance(expected, list):
        if not isinstance(value, list):
            return [f"{path}: a list is expected"]
        return [p for i, v in enumerate(value) for p in problems(v, expected[0], f"{path}[{i}]")]
    if not isinstance(expected, dict):
        is_one = isinstance(value, expected) and (expected is bool or not isinstance(value, bool))
        return [] if is_one else [f"{path}: {expected} is expected, not {value!r}"]
    if not isinstance(value, dict):
        return [f"{path}: fields are expected"]
    if str in expected:
        return [
            p for name, v in value.items() for p in problems(v, expected[str], f"{path}.{name}")
        ]
    fields = {name.rstrip("!"): kind for name, kind in expected.items()}
    needed = {name.rstrip("!") for name in expected if name.endswith("!")}
    wrong = [f"{path}.{name} is missing" for name in sorted(needed - value.keys())]
    wrong += [f"{path}.{name} is unknown" for name in sorted(value.keys() - fields.keys())]
    known = fields.keys() & value.keys()
    return wrong + [p for n in sorted(known) for p in problems(value[n], fields[n], f"{path}.{n}")]
