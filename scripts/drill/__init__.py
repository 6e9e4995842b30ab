"""What the drills, the demo and the benchmarks share: processes, an HTTP client, the load and the checks.

It speaks to the cluster over HTTP alone and reads the banks' own files, so that nothing of the product judges itself.
Python's standard library is enough.
"""
