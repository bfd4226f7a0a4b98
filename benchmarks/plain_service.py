"""The service as it is often written: FastAPI, a scikit-learn scaler and `predict` per call."""

import csv

import numpy as np
from fastapi import FastAPI
from pydantic import BaseModel
from sklearn.cluster import KMeans
from sklearn.preprocessing import StandardScaler

from customer_segmentation.services.settings import SHIPPED_DATA

NAMES = (
    "High-Value Power Users",
    "Value-Driven Frequent Users",
    "Affluent Inactives",
    "Budget-Conscious Occasionals",
)


class Customer(BaseModel):
    """A request body."""

    age: int
    gender: int
    monthly_income: float
    account_balance: float
    loyalty_score: int
    education_level: int
    facebook_interaction: int
    twitter_interaction: int
    email_interaction: int
    instagram_interaction: int
    total_withdrawal_amount: float
    total_deposit_amount: float
    transaction_count: int
    has_loan: int


with SHIPPED_DATA.open(newline="") as file:
    table = np.array([row[1:] for row in csv.reader(file)][1:], dtype=float)
scaler = StandardScaler().fit(table)
kmeans = KMeans(n_clusters=4, n_init=10, random_state=0).fit(scaler.transform(table))

app = FastAPI()


@app.post("/predict_customer_segment_in_real_time")
def predict(customer: Customer) -> str:
    """Scale and predict."""
    row = [list(customer.model_dump().values())]
    cluster = int(kmeans.predict(scaler.transform(row))[0])
    return f"Cluster {cluster}: {NAMES[cluster]}"
