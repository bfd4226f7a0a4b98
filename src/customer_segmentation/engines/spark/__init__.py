"""The engine of Apache Spark: training and scoring of tables too large for one machine.

Every pass over the customers runs where their partitions are and returns sums; the driver holds
those, and one sample.
"""
