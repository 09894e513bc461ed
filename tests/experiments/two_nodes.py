"""A Ray cluster of its own process: `python two_nodes.py CPUS_OF_HEAD CPUS_OF_NODE`, in the folder where it is started.

It prints one line of JSON (address, and the process id of each node's raylet). When it reads "kill" it kills its last
node; when it reads "add", it adds one and prints its raylet's id. It ends when it reads the end of its input.
"""

import json
import sys

from ray.cluster_utils import Cluster


def raylet(node) -> int:
    return node.all_processes["raylet"][0].process.pid


if __name__ == "__main__":
    small = {"object_store_memory": 100 * 2**20, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": int(sys.argv[1]), **small})
    nodes = [cluster.add_node(num_cpus=int(cpus), object_store_memory=100 * 2**20) for cpus in sys.argv[2:]]
    print(
        json.dumps({"address": cluster.address, "raylets": [raylet(node) for node in (cluster.head_node, *nodes)]}),
        flush=True,
    )
    for line in sys.stdin:
        if line.strip() == "kill":
            cluster.remove_node(nodes.pop(), allow_graceful=False)
        if line.strip() == "add":
            nodes.append(cluster.add_node(num_cpus=1, object_store_memory=100 * 2**20))
            print(raylet(nodes[-1]), flush=True)
    cluster.shutdown()
