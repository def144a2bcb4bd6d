/* Clusters as JSON, as TensorFlow's ClusterSpec takes and gives them. */
#ifndef API_RESOURCE_CLUSTER_JSON_H
#define API_RESOURCE_CLUSTER_JSON_H

#include "api/json/jsonio.h"
#include "service/device/cluster.h"

/* {"ps": ["h0:2222", "h1:2222"], "worker": {"0": "h2:2222", "7": "h3:2222"}, "chief": 1}: of each
 * job its tasks' addresses, those by number, or how many tasks there are. *out owned: cluster_drop.
 */
ERR_MUST_CHECK enum err_code api_cluster_decode(const struct api_value *value, struct arena *arena,
                                                const struct cluster_limits *limits,
                                                struct cluster *out, struct err *err);
/* What the setting may be: that as a text, or "ps=2,worker=1". There is at least one task. */
ERR_MUST_CHECK enum err_code api_cluster_parse(const char *text,
                                               const struct cluster_limits *limits,
                                               struct cluster *out, struct err *err);

#endif
