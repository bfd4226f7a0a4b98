"""The words by which banks' tables call attributes and their values, in lower case."""

from collections.abc import Mapping

COLUMN_NAMES: Mapping[str, tuple[str, ...]] = {
    "customer_id": (
        "customer",
        "customer number",
        "customer no",
        "customer nr",
        "customer key",
        "cust id",
        "client",
        "client id",
        "client number",
        "client num",
        "clientnum",
        "user id",
        "member id",
        "id",
    ),
    "age": ("customer age", "client age", "age years", "age in years"),
    "gender": ("sex",),
    "monthly_income": ("income", "salary", "wage", "earnings", "net income", "gross income"),
    "account_balance": ("balance", "current balance", "avg balance", "average balance", "acct bal"),
    "loyalty_score": ("loyalty", "loyalty points", "reward points", "bonus points"),
    "education_level": ("education", "degree", "qualification", "schooling"),
    "facebook_interaction": ("facebook", "fb", "facebook ads", "facebook ad", "facebook click"),
    "twitter_interaction": ("twitter", "twitter ads", "twitter ad", "twitter click"),
    "email_interaction": ("email", "e mail", "email ads", "email click", "newsletter"),
    "instagram_interaction": ("instagram", "instagram ads", "instagram ad", "instagram click"),
    "total_withdrawal_amount": (
        "withdrawals",
        "withdrawal",
        "withdrawn",
        "total withdrawn",
        "debits",
        "total debit",
        "total debits",
        "money out",
        "total trans amt",
        "total trans amount",
        "total spent",
    ),
    "total_deposit_amount": (
        "deposits",
        "deposited",
        "total deposited",
        "credits",
        "total credit",
        "total credits",
        "money in",
        "paid in",
    ),
    "transaction_count": (
        "transactions",
        "number of transactions",
        "no of transactions",
        "num transactions",
        "trans count",
        "total trans ct",
        "total trans count",
        "txn count",
        "tx count",
    ),
    "has_loan": ("loan", "personal loan", "housing loan", "home loan", "mortgage", "loan flag"),
}
"""Other names of a column; the record names and request names are known without being here."""

YEARLY = frozenset({"annual", "annually", "yearly", "year", "annum", "salary"})
MONTHLY = frozenset({"month", "monthly"})
CENTS = frozenset({"cent", "cents"})
THOUSANDS = frozenset({"thousand", "thousands"})

YES_NO: Mapping[str, int] = {
    **dict.fromkeys(("yes", "y", "true", "t", "1", "on", "ja", "oui", "si", "sim"), 1),
    **dict.fromkeys(("no", "n", "false", "f", "0", "off", "nein", "non", "nao", "none"), 0),
}

VALUES: Mapping[str, Mapping[str, int]] = {
    "gender": {
        **dict.fromkeys(("male", "m", "man", "mr"), 0),
        **dict.fromkeys(("female", "f", "woman", "w", "mrs", "ms"), 1),
    },
    "education_level": {
        **dict.fromkeys(("primary", "uneducated", "elementary", "basic", "none", "illiterate"), 0),
        **dict.fromkeys(("secondary", "high school", "highschool", "middle school"), 1),
        **dict.fromkeys(("vocational", "a levels", "professional course"), 1),
        **dict.fromkeys(("tertiary", "college", "graduate", "graduation", "bachelor"), 2),
        **dict.fromkeys(("bachelors", "undergraduate", "university", "university degree"), 2),
        **dict.fromkeys(("postgrad", "post graduate", "postgraduate", "master", "masters"), 3),
        **dict.fromkeys(("mba", "doctorate", "phd", "doctor"), 3),
    },
}
"""What the texts of a coded column stand for, by words; YES_NO reads a column of yes and no."""

ISO_5218: Mapping[str, int] = {"1": 0, "2": 1}
"""Gender in the numbers of ISO/IEC 5218, which begin at 1."""

TRANSACTION_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "customer_id": ("account id", "account number", "account", *COLUMN_NAMES["customer_id"]),
    "amount": (
        *("amount", "amt", "transaction amount", "transaction amt", "trans amt", "value"),
        *("dollar value", "order value", "revenue", "price", "total", "sum"),
    ),
    "kind": ("kind", "type", "transaction type", "trans type", "direction", "operation"),
    "date": (
        "date",
        "transaction date",
        "trans date",
        "booking date",
        "posted",
        "timestamp",
        "time",
    ),
}
"""How tables of transactions call their columns."""

DEPOSITS = frozenset(
    {"deposit", "deposits", "credit", "cr", "c", "in", "incoming", "cash in", "paid in", "+"}
)
WITHDRAWALS = frozenset(
    {"withdrawal", "withdrawals", "withdraw", "debit", "dr", "d", "out", "outgoing", "cash out"}
    | {"payment", "purchase", "fee", "paid out", "-"}
)
"""How tables of transactions say which way money went."""
