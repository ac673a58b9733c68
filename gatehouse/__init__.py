"""Gatehouse: MLflow on AWS with access control that can be proved before anything is deployed."""
