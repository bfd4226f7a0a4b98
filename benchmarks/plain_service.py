"""The service as it is often written: FastAPI, a pandas frame in memory, scikit-learn per call.

Each call that tells a segment scales and predicts, and nothing is stored: what it is told is lost
with the process. Its calls are coroutines, as a thread for each would make it slower.
"""

from typing import Any

import pandas as pd
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel
from sklearn.cluster import KMeans
from sklearn.preprocessing import StandardScaler

from customer_segmentation.services.runtime.settings import SHIPPED_DATA

NAMES = {
    0: "High-Value Power Users",
    1: "Value-Driven Frequent Users",
    2: "Affluent Inactives",
    3: "Budget-Conscious Occasionals",
}
STRATEGIES = {
    0: "Upsell bank products to increase profits",
    1: "Build loyalty to reduce churn",
    2: "Increase engagement to reduce churn",
    3: "Provide incentives like discounts to increase profits",
}
COLUMNS = {
    "age": "age",
    "gender": "gender",
    "monthly_income": "income/month",
    "account_balance": "account balance",
    "loyalty_score": "loyalty score",
    "education_level": "education level",
    "facebook_interaction": "Facebook",
    "twitter_interaction": "Twitter",
    "email_interaction": "Email",
    "instagram_interaction": "Instagram",
    "total_withdrawal_amount": "total_withdrawals",
    "total_deposit_amount": "total_deposits",
    "transaction_count": "transaction_count",
    "has_loan": "loan",
}
ATTRIBUTES = list(COLUMNS.values())


class Attributes(BaseModel):
    """A person."""

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


class Customer(Attributes):
    """A new customer."""

    customer_id: int


class Changes(BaseModel):
    """What changes of a customer."""

    customer_id: int
    monthly_income: float | None = None
    account_balance: float | None = None
    total_withdrawal_amount: float | None = None
    total_deposit_amount: float | None = None
    transaction_count: int | None = None


df = pd.read_csv(SHIPPED_DATA)
scaler = StandardScaler().fit(df[ATTRIBUTES])
kmeans = KMeans(n_clusters=4, n_init=10, random_state=0).fit(scaler.transform(df[ATTRIBUTES]))

app = FastAPI()


def segment_of(record: dict[str, Any]) -> int:
    """Scale and predict."""
    row = pd.DataFrame([record], columns=ATTRIBUTES)
    return int(kmeans.predict(scaler.transform(row))[0])


def record_of(customer_id: int) -> dict[str, Any]:
    """Find a customer's row."""
    found = df[df["customer id"] == customer_id]
    if found.empty:
        raise HTTPException(404, "no such customer")
    return dict(found.iloc[0].to_dict())


@app.get("/get_customer_info_from_database")
async def get_customer(customer_id: int) -> dict[str, Any]:
    """Look a customer up."""
    record = record_of(customer_id)
    segment = record["cluster_num"] = segment_of(record)
    return {
        "Customer info": record,
        "Segmentation info": f"Cluster {segment}: {NAMES[segment]}",
        "Business strategy": STRATEGIES[segment],
    }


@app.post("/update_customer_details_to_database")
async def update_customer(changes: Changes) -> dict[str, Any]:
    """Change a row, and predict again."""
    record = record_of(changes.customer_id)
    given = changes.model_dump(exclude_unset=True, exclude={"customer_id"})
    record.update({COLUMNS[name]: value for name, value in given.items()})
    df.loc[df["customer id"] == changes.customer_id, list(record)] = list(record.values())
    record["cluster_num"] = segment_of(record)
    return {
        "message": f"Customer id {changes.customer_id} updated successfully",
        "updated_customer": record,
    }


@app.post("/add_customer_to_database")
async def add_customer(customer: Customer) -> dict[str, Any]:
    """Append a row."""
    global df  # noqa: PLW0603
    if (df["customer id"] == customer.customer_id).any():
        raise HTTPException(409, "exists")
    record: dict[str, Any] = {
        COLUMNS[name]: value for name, value in customer.model_dump(exclude={"customer_id"}).items()
    }
    record["customer id"] = customer.customer_id
    df = pd.concat([df, pd.DataFrame([record])], ignore_index=True)
    record["cluster_num"] = segment_of(record)
    return {
        "message": "Customer successfully added to databank",
        "updated_customer": record,
    }


@app.post("/predict_customer_segment_in_real_time")
async def predict(person: Attributes) -> str:
    """Scale and predict."""
    record = {COLUMNS[name]: value for name, value in person.model_dump().items()}
    segment = segment_of(record)
    return f"Cluster {segment}: {NAMES[segment]} , Business strategy: {STRATEGIES[segment]}"
