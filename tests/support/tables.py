"""Public tables of customers, as the attributes that this schema has for their columns."""

import csv
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from customer_segmentation.domain.arrays import FloatArray
from tests.support.shipped import FEATURES

FOLDER = Path(os.environ.get("PUBLIC_TABLES") or Path(__file__).parents[3] / "shared" / "tables")

Read = Callable[[Mapping[str, str]], float]


def number(column: str) -> Read:
    """Read a number; what is none counts as 0."""

    def read(row: Mapping[str, str]) -> float:
        try:
            return max(float(row[column].replace(",", ".")), 0.0)
        except ValueError:
            return 0.0

    return read


def word(column: str, *words: str) -> Read:
    """Read the place of a word among others, 0 where it is none of them."""
    return lambda row: float(words.index(row[column])) if row[column] in words else 0.0


TABLES: dict[str, tuple[str, dict[str, Read]]] = {
    "BankChurners.csv": (
        ",",
        {
            "age": number("Customer_Age"),
            "gender": word("Gender", "M", "F"),
            "monthly_income": number("Credit_Limit"),
            "account_balance": number("Total_Revolving_Bal"),
            "total_withdrawal_amount": number("Total_Trans_Amt"),
            "transaction_count": number("Total_Trans_Ct"),
        },
    ),
    "CC GENERAL.csv": (
        ",",
        {
            "account_balance": number("BALANCE"),
            "monthly_income": number("CREDIT_LIMIT"),
            "total_withdrawal_amount": number("PURCHASES"),
            "total_deposit_amount": number("PAYMENTS"),
            "transaction_count": number("PURCHASES_TRX"),
        },
    ),
    "Telco-Customer-Churn.csv": (
        ",",
        {
            "gender": word("gender", "Male", "Female"),
            "monthly_income": number("MonthlyCharges"),
            "total_deposit_amount": number("TotalCharges"),
            "loyalty_score": number("tenure"),
            "has_loan": word("Dependents", "No", "Yes"),
        },
    ),
    "marketing_campaign.csv": (
        "\t",
        {
            "age": lambda row: min(2014.0 - float(row["Year_Birth"]), 130.0),
            "monthly_income": number("Income"),
            "education_level": word("Education", "Basic", "Graduation", "Master", "PhD"),
            "total_withdrawal_amount": number("MntWines"),
            "transaction_count": number("NumStorePurchases"),
            "loyalty_score": number("Recency"),
        },
    ),
    "bank-full.cpe-with-gaps.csv": (
        ";",
        {
            "age": number("age"),
            "account_balance": number("balance"),
            "education_level": word("education", "primary", "secondary", "tertiary"),
            "has_loan": word("loan", "no", "yes"),
            "email_interaction": word("housing", "no", "yes"),
            "transaction_count": number("campaign"),
        },
    ),
    "Mall_Customers.csv": (
        ",",
        {
            "age": number("Age"),
            "gender": word("Genre", "Male", "Female"),
            "monthly_income": number("Annual Income (k$)"),
            "loyalty_score": number("Spending Score (1-100)"),
        },
    ),
    "Bank_Personal_Loan_Modelling.csv": (
        ",",
        {
            "age": number("Age"),
            "monthly_income": number("Income"),
            "education_level": lambda row: float(row["Education"]) - 1.0,
            "total_withdrawal_amount": number("CCAvg"),
            "account_balance": number("Mortgage"),
            "has_loan": number("Personal Loan"),
        },
    ),
    "german_credit_data.csv": (
        ",",
        {
            "age": number("Age"),
            "gender": word("Sex", "male", "female"),
            "total_withdrawal_amount": number("Credit amount"),
            "transaction_count": number("Duration"),
        },
    ),
}


def read_table(name: str, most: int) -> FloatArray:
    """Return customers, (n, 14), of a table, all alike where it has no column for an attribute."""
    if not (FOLDER / name).exists():
        reason = f"no {name} in {FOLDER}; PUBLIC_TABLES names another folder"
        if os.environ.get("REQUIRE_TABLES"):
            pytest.fail(reason)
        pytest.skip(reason)
    separator, columns = TABLES[name]
    with (FOLDER / name).open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file, delimiter=separator))
    chosen = np.random.default_rng(1).permutation(len(rows))[:most]
    values = np.zeros((len(chosen), len(FEATURES)))
    for j, feature in enumerate(FEATURES):
        if feature.name in columns:
            values[:, j] = [columns[feature.name](rows[row]) for row in chosen]
    return values
