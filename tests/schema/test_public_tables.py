"""What is made of tables that people really use, against what a person wrote down of each."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import pytest

from customer_segmentation.domain.attributes import Attribute, IdType, Transform
from customer_segmentation.domain.errors import DataFileError
from customer_segmentation.files.schema_file import parse_schema_file
from customer_segmentation.services.schema.infer import Inference
from customer_segmentation.services.schema.report import write_inference
from tests.support.inferring import infer_file, public_table, read_by_schema, taken_as


@dataclass(frozen=True)
class Expected:
    """What a person says of a table; columns are parted by blanks, or by commas where those have.

    `ranked` are texts in an order, `outcomes` are kept and not used, `others` are left out.
    """

    rows: int
    id: str | None
    id_type: IdType
    amounts: str = ""
    counts: str = ""
    ordinals: str = ""
    nominals: str = ""
    binaries: str = ""
    outcomes: str = ""
    others: str = ""
    missing: Mapping[str, int] = field(default_factory=dict)
    protected: str = ""
    logarithms: str = ""


def parted(told: str) -> list[str]:
    return [name.strip() for name in told.split("," if "," in told else None)]


TABLES = {
    "BankChurners.csv": Expected(
        rows=10_127,
        id="CLIENTNUM",
        id_type=IdType.INTEGER,
        amounts="Credit_Limit Total_Revolving_Bal Avg_Open_To_Buy Total_Amt_Chng_Q4_Q1 "
        "Total_Trans_Amt Total_Ct_Chng_Q4_Q1 Avg_Utilization_Ratio",
        counts="Customer_Age Dependent_count Months_on_book Total_Relationship_Count "
        "Months_Inactive_12_mon Contacts_Count_12_mon Total_Trans_Ct",
        ordinals="Education_Level Income_Category Card_Category",
        nominals="Marital_Status",
        binaries="Gender",
        outcomes="Attrition_Flag Naive_Bayes_Classifier_Attrition_Flag_Card_Category_Contacts_"
        "Count_12_mon_Dependent_count_Education_Level_Months_Inactive_12_mon_1 "
        "Naive_Bayes_Classifier_Attrition_Flag_Card_Category_Contacts_"
        "Count_12_mon_Dependent_count_Education_Level_Months_Inactive_12_mon_2",
        missing={"Education_Level": 1519, "Marital_Status": 749, "Income_Category": 1112},
        protected="Customer_Age Gender Marital_Status",
        logarithms="Credit_Limit Avg_Open_To_Buy Total_Amt_Chng_Q4_Q1 Total_Trans_Amt "
        "Total_Ct_Chng_Q4_Q1",
    ),
    "CC GENERAL.csv": Expected(
        rows=8950,
        id="CUST_ID",
        id_type=IdType.TEXT,
        amounts="BALANCE BALANCE_FREQUENCY PURCHASES ONEOFF_PURCHASES INSTALLMENTS_PURCHASES "
        "CASH_ADVANCE PURCHASES_FREQUENCY ONEOFF_PURCHASES_FREQUENCY "
        "PURCHASES_INSTALLMENTS_FREQUENCY CASH_ADVANCE_FREQUENCY CREDIT_LIMIT PAYMENTS "
        "MINIMUM_PAYMENTS PRC_FULL_PAYMENT",
        counts="CASH_ADVANCE_TRX PURCHASES_TRX TENURE",
        missing={"MINIMUM_PAYMENTS": 313, "CREDIT_LIMIT": 1},
        logarithms="BALANCE CREDIT_LIMIT PAYMENTS MINIMUM_PAYMENTS",
    ),
    "Telco-Customer-Churn.csv": Expected(
        rows=7043,
        id="customerID",
        id_type=IdType.TEXT,
        amounts="MonthlyCharges TotalCharges",
        counts="tenure",
        ordinals="Contract",
        nominals="MultipleLines InternetService OnlineSecurity OnlineBackup DeviceProtection "
        "TechSupport StreamingTV StreamingMovies PaymentMethod",
        binaries="gender SeniorCitizen Partner Dependents PhoneService PaperlessBilling",
        outcomes="Churn",
        missing={"TotalCharges": 11},
        protected="gender SeniorCitizen Partner",
    ),
    "marketing_campaign.csv": Expected(
        rows=2240,
        id="ID",
        id_type=IdType.TEXT,  # One is 0.
        amounts="Income MntWines MntFruits MntMeatProducts MntFishProducts MntSweetProducts "
        "MntGoldProds",
        counts="Year_Birth Kidhome Teenhome Dt_Customer Recency NumDealsPurchases NumWebPurchases "
        "NumCatalogPurchases NumStorePurchases NumWebVisitsMonth",
        ordinals="Education",
        nominals="Marital_Status",
        binaries="AcceptedCmp3 AcceptedCmp4 AcceptedCmp5 AcceptedCmp1 AcceptedCmp2 Complain",
        outcomes="Response",
        others="Z_CostContact Z_Revenue",
        missing={"Income": 24},
        protected="Year_Birth Marital_Status",
        logarithms="Income MntWines MntFruits MntMeatProducts MntFishProducts MntSweetProducts "
        "MntGoldProds NumDealsPurchases NumWebPurchases",
    ),
    "bank-full.cpe-with-gaps.csv": Expected(
        rows=45_211,
        id=None,
        id_type=IdType.INTEGER,
        amounts="balance",
        counts="age day duration campaign pdays previous",
        ordinals="education",
        nominals="job marital month poutcome",
        binaries="default housing loan contact",
        outcomes="y",
        missing={"contact": 13_020, "poutcome": 36_959, "age": 475},
        protected="age marital",
        logarithms="duration campaign previous",
    ),
    "Mall_Customers.csv": Expected(
        rows=200,
        id="CustomerID",
        id_type=IdType.TEXT,  # They begin with zeros.
        amounts="Annual Income (k$),",
        counts="Age",
        ordinals="Spending Score (1-100),",
        binaries="Genre",
        protected="Genre Age",
    ),
    "Bank_Personal_Loan_Modelling.csv": Expected(
        rows=5000,
        id="ID",
        id_type=IdType.INTEGER,
        amounts="Income CCAvg Mortgage",
        counts="Age Experience Family",
        ordinals="Education",
        binaries="Personal Loan, Securities Account, CD Account, Online, CreditCard",
        others="ZIP Code,",
        protected="Age",
        logarithms="CCAvg",
    ),
    "german_credit_data.csv": Expected(
        rows=1000,
        id="",
        id_type=IdType.TEXT,  # One is 0.
        amounts="Credit amount,",
        counts="Age, Duration",
        ordinals="Job, Saving accounts, Checking account",
        nominals="Housing, Purpose",
        binaries="Sex",
        missing={"Saving accounts": 183, "Checking account": 394},
        protected="Age Sex",
        logarithms="Age, Credit amount, Duration",
    ),
    "yjh-customer.csv": Expected(
        rows=4000,
        id="customer_id",
        id_type=IdType.INTEGER,
        amounts="balance debt income customer_lifetime_value",
        counts="age tenure dependents",
        ordinals="education nps",
        nominals="job marital",
        binaries="default",
        missing={"job": 443, "education": 168},
        protected="age marital",
        logarithms="debt income",
    ),
    "yjh-products_owned.csv": Expected(
        rows=4000,
        id="customer_id",
        id_type=IdType.INTEGER,
        binaries="has_investment_product has_credit_card has_fixed_deposit has_insurance",
    ),
    "yjh-digital_usage.csv": Expected(
        rows=4000,
        id="customer_id",
        id_type=IdType.INTEGER,
        amounts="avg_mobile_time avg_web_time",
        counts="mobile_logins_wk web_logins_wk last_mobile_use last_web_use",
        binaries="has_mobile_app has_web_account",
        missing={"mobile_logins_wk": 1080, "last_web_use": 480},
        logarithms="last_mobile_use",
    ),
}


def by_header(found: Inference) -> dict[str, Attribute]:
    """Return the attributes by the headers of the columns that they come from."""
    entries = found.source.mapping(found.schema).entries
    return {str(entries[a.name].column): a for a in found.schema.attributes}


@cache
def infer_public(name: str) -> Inference:
    return infer_file(public_table(name))


@pytest.mark.parametrize("name", TABLES)
def test_every_column_of_a_public_table_is_taken_as_a_person_takes_it(name: str) -> None:
    expected = TABLES[name]

    found = infer_public(name)

    kinds = ("amount", "count", "ordinal", "nominal", "binary")
    said = {
        column: kind
        for kind, told in zip(
            kinds,
            (
                expected.amounts,
                expected.counts,
                expected.ordinals,
                expected.nominals,
                expected.binaries,
            ),
            strict=True,
        )
        for column in parted(told)
    }
    said |= dict.fromkeys(parted(expected.outcomes), "unused")
    said |= dict.fromkeys(parted(expected.others), "left out")
    if expected.id is not None:
        said[expected.id] = "id"
    taken = {
        column: told.split(" ")[0] if "unused" in told else told
        for column, told in taken_as(found).items()
    }
    assert taken == {column: told for column, told in said.items() if column or told == "id"}
    assert found.rows == expected.rows
    assert found.schema.id.type is expected.id_type
    assert found.source.numbered is (expected.id is None)


@pytest.mark.parametrize("name", TABLES)
def test_the_missing_the_protected_and_the_skewed_of_a_public_table_are_found(name: str) -> None:
    expected = TABLES[name]

    found = infer_public(name)

    attributes = by_header(found)
    for column, number in expected.missing.items():
        (told,) = [r for r in found.reasons[attributes[column].name] if " missing (" in r]
        assert told.startswith(f"{number:,} missing")
    used = {header: attribute for header, attribute in attributes.items() if attribute.used}
    protected = {header for header, attribute in used.items() if attribute.protected}
    assert protected == {*parted(expected.protected)} - {""}
    logarithms = {h for h, a in used.items() if a.transform is Transform.LOG}
    assert logarithms == {*parted(expected.logarithms)} - {""}


@pytest.mark.parametrize("name", TABLES)
def test_the_schema_of_a_public_table_reads_back_and_accepts_its_rows(name: str) -> None:
    found = infer_public(name)

    schema, source = parse_schema_file(write_inference(found, [name]), "schema.toml")

    assert schema == found.schema
    assert source == found.source
    assert found.fitting >= 0.95


@pytest.mark.parametrize("name", TABLES)
def test_the_rows_of_a_public_table_are_read_by_its_schema(name: str) -> None:
    expected, found = TABLES[name], infer_public(name)

    read = read_by_schema(found, public_table(name))

    assert len(read.ids) >= 0.95 * expected.rows
    assert len(read.ids) + read.refused == expected.rows
    for place, attribute in enumerate(found.schema.attributes):
        missing = int(np.isnan(read.values[:, place]).sum())
        header = next(h for h, a in by_header(found).items() if a is attribute)
        if header in expected.missing:
            assert missing == pytest.approx(expected.missing[header], abs=read.refused)


def test_a_decimal_comma_is_read_and_what_says_the_same_counts_as_one() -> None:
    found = infer_public("Bank_Personal_Loan_Modelling.csv")

    assert found.source.columns["ccavg"].style.decimal == ","
    weights = {attribute.name: attribute.weight for attribute in found.schema.attributes}
    assert weights["age"] == weights["experience"] == 0.707


def test_columns_that_add_up_are_told() -> None:
    found = infer_public("CC GENERAL.csv")

    assert any("purchases is oneoff_purchases and installments" in r for r in found.remarks)


def test_dates_become_days_before_the_last_one() -> None:
    found = infer_public("marketing_campaign.csv")

    source = found.source.columns["days_since_dt_customer"]
    assert (source.date, str(source.before)) == ("%d-%m-%Y", "2014-06-29")


@pytest.mark.parametrize(
    "name",
    ["berka-trans.asc", "yjh-transactions.csv", "yjh-engagement_details.csv", "CDNOW_master.txt"],
)
def test_a_table_of_what_happened_to_customers_is_told_to_be_none_of_customers(name: str) -> None:
    found = infer_public(name)

    said = ("these rows are not customers", "holds transactions")
    assert any(words in remark for remark in found.remarks for words in said)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("berka-client.asc", "no column that segments could be made from"),
    ],
)
def test_a_public_table_that_is_none_of_customers_is_refused_with_what_it_is(
    name: str, told: str
) -> None:
    with pytest.raises(DataFileError, match=told):
        infer_file(public_table(name))


def test_tables_with_other_columns_are_not_taken_for_one() -> None:
    tables = public_table("yjh-customer.csv"), public_table("yjh-products_owned.csv")

    with pytest.raises(DataFileError, match="They share customer_id: join them"):
        infer_file(*tables)
