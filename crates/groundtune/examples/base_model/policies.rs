//! Worlds of what an organisation lays down: opening hours, fees, periods, who is in charge; in
//! plain prose with its clauses, asked about in other words than it is written.

use crate::names::{Name, Value, capital};
use crate::random::Random;
use crate::words::FILLERS;
use crate::world::{Ask, Passage, Phrasing, World, fill, paragraph, sentence};

/// What is laid down in one sentence, and what is asked about it.
///
/// Places: `{d}` a length of time, `{m}` an amount of money, `{n}` a number, `{p}` a percentage,
/// `{t}` a time of day, `{y}` a date, `{w}` a weekday, `{c}` a town, `{o}` who does it, `{g}` what
/// it is about, `{k}` what is to be shown, `{h}` by what means.
struct Clause {
    says: &'static [&'static str],
    /// Questions, each with the place that answers it.
    asks: &'static [(&'static str, char)],
}

const THINGS: &[&str] = &[
    "bicycles",
    "laptops",
    "tickets",
    "rooms",
    "books",
    "coats",
    "cameras",
    "memberships",
    "parcels",
    "tents",
    "skis",
    "printers",
    "phones",
    "keys",
    "mattresses",
    "shoes",
    "watches",
    "contracts",
    "accounts",
    "cards",
    "orders",
    "tools",
    "cars",
    "boats",
    "ovens",
    "fridges",
    "headphones",
    "lockers",
    "courses",
    "lessons",
    "instruments",
    "plants",
    "chairs",
    "desks",
    "drills",
    "heaters",
    "batteries",
    "filters",
    "cables",
    "licences",
    "permits",
    "badges",
];
const DESKS: &[&str] = &[
    "the front desk",
    "the accounts team",
    "the night shift",
    "the head of sales",
    "the librarian",
    "the duty manager",
    "the school office",
    "the warehouse",
    "the legal team",
    "a volunteer",
    "the head nurse",
    "the caretaker",
    "the safety officer",
    "the training centre",
    "the director",
    "the help line",
    "the box office",
    "the pharmacy",
    "the workshop",
    "a second engineer",
];
const PROOFS: &[&str] = &[
    "the receipt",
    "a valid passport",
    "the order number",
    "a student card",
    "the serial number",
    "a doctor's note",
    "two photos",
    "the signed form",
    "a bank statement",
    "the original box",
    "a proof of address",
    "the invoice",
    "the membership card",
    "a written request",
];
const MEANS: &[&str] = &[
    "by bank transfer",
    "by telephone",
    "by e-mail",
    "in the app",
    "by post",
    "by courier",
    "in person",
    "on the website",
    "by credit card",
    "in cash",
    "by text message",
    "with a voucher",
    "at the counter",
    "by registered letter",
];
const NUMBERS: &[&str] = &[
    "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "twelve", "15", "20",
    "25", "30", "40", "45", "60", "75", "100", "120", "250", "500",
];

const CLAUSES: &[Clause] = &[
    Clause {
        says: &[
            "{g} may be brought back within {d} of purchase.",
            "anyone who is not satisfied with their {g} has {d} to bring them back.",
            "we take back {g} for {d}, whatever the reason.",
        ],
        asks: &[
            ("How long do I have to bring back {g}?", 'd'),
            ("Within what time can {g} be returned?", 'd'),
            ("How long may {g} be returned?", 'd'),
            ("What can be brought back within {d}?", 'g'),
        ],
    },
    Clause {
        says: &[
            "the refund is paid {h} and takes {d}.",
            "money for {g} comes back {h}, usually after {d}.",
        ],
        asks: &[
            ("How is the money paid back?", 'h'),
            ("How long does a refund take?", 'd'),
            ("When do I get my money back?", 'd'),
            ("How are refunds paid?", 'h'),
        ],
    },
    Clause {
        says: &[
            "standard delivery costs {m} and takes {d}.",
            "for {m}, standard delivery brings everything in {d}.",
        ],
        asks: &[
            ("How much does standard delivery cost?", 'm'),
            ("How long does standard delivery take?", 'd'),
            ("What is the charge for standard delivery?", 'm'),
            ("How fast is standard delivery?", 'd'),
        ],
    },
    Clause {
        says: &[
            "orders of {m} or more are sent free of charge.",
            "from {m} on, there is no charge for sending.",
        ],
        asks: &[
            ("From which amount on is delivery free?", 'm'),
            ("When is shipping free?", 'm'),
            ("How much must I spend for free delivery?", 'm'),
        ],
    },
    Clause {
        says: &[
            "express parcels leave on the same day if they are ordered before {t}.",
            "what is ordered by {t} goes out the same day with express.",
        ],
        asks: &[
            ("By when must I order for the same day?", 't'),
            ("Until what time are express orders sent the same day?", 't'),
        ],
    },
    Clause {
        says: &[
            "the guarantee on {g} lasts {d}.",
            "{g} are under guarantee for {d}.",
            "if {g} break within {d}, we mend them for nothing.",
        ],
        asks: &[
            ("How long is the guarantee on {g}?", 'd'),
            ("For how long are {g} under warranty?", 'd'),
            ("What is guaranteed for {d}?", 'g'),
        ],
    },
    Clause {
        says: &[
            "to claim, please show {k}.",
            "nobody can claim without {k}.",
            "{k} must be sent along with every claim.",
        ],
        asks: &[
            ("What do I have to show for a claim?", 'k'),
            ("What is needed to make a claim?", 'k'),
            ("What must be sent with a claim?", 'k'),
        ],
    },
    Clause {
        says: &[
            "we are open from {t} on, except on {w}.",
            "on {w} we stay closed; on all other days the doors open at {t}.",
        ],
        asks: &[
            ("When do you open?", 't'),
            ("On which day are you closed?", 'w'),
            ("At what time do the doors open?", 't'),
            ("Which day of the week is closed?", 'w'),
        ],
    },
    Clause {
        says: &[
            "the last visitors are let in at {t}.",
            "nobody is let in after {t}.",
        ],
        asks: &[
            ("When are the last visitors let in?", 't'),
            ("Until when can I come in?", 't'),
            ("What is the latest time to enter?", 't'),
        ],
    },
    Clause {
        says: &[
            "{o} answers questions about {g}.",
            "questions about {g} go to {o}.",
            "whoever has a question about {g} should turn to {o}.",
        ],
        asks: &[
            ("Who answers questions about {g}?", 'o'),
            ("Whom do I ask about {g}?", 'o'),
            ("Where do questions about {g} go?", 'o'),
        ],
    },
    Clause {
        says: &[
            "complaints are answered within {d} by {o}.",
            "{o} answers every complaint, {d} at the latest.",
        ],
        asks: &[
            ("How fast are complaints answered?", 'd'),
            ("Who deals with complaints?", 'o'),
            ("Who answers a complaint?", 'o'),
            ("Within what time is a complaint answered?", 'd'),
        ],
    },
    Clause {
        says: &[
            "children under {n} pay half.",
            "up to the age of {n}, children pay half the price.",
        ],
        asks: &[
            ("Up to which age do children pay half?", 'n'),
            ("Until what age is there a discount for children?", 'n'),
        ],
    },
    Clause {
        says: &[
            "groups of {n} or more get {p} off.",
            "there is a discount of {p} for groups of at least {n}.",
        ],
        asks: &[
            ("How many people make a group?", 'n'),
            ("What discount do groups get?", 'p'),
            ("How much off do groups get?", 'p'),
            ("From how many people on is there a group discount?", 'n'),
        ],
    },
    Clause {
        says: &[
            "students get {p} off if they show {k}.",
            "with {k}, students pay {p} less.",
        ],
        asks: &[
            ("What discount do students get?", 'p'),
            ("What do students have to show?", 'k'),
            ("How much less do students pay?", 'p'),
        ],
    },
    Clause {
        says: &[
            "membership costs {m} a year and can be ended {h}.",
            "members pay {m} each year; whoever wants to leave can do so {h}.",
        ],
        asks: &[
            ("How much is the membership?", 'm'),
            ("What does it cost to be a member?", 'm'),
            ("How can I end my membership?", 'h'),
            ("What do members pay each year?", 'm'),
        ],
    },
    Clause {
        says: &[
            "notice has to be given {d} before the end.",
            "contracts end only after a notice of {d}.",
        ],
        asks: &[
            ("How long is the notice period?", 'd'),
            ("How long before must notice be given?", 'd'),
        ],
    },
    Clause {
        says: &[
            "{g} can be borrowed for {d}.",
            "everyone may borrow up to {n} {g} for {d}.",
        ],
        asks: &[
            ("How long may {g} be borrowed?", 'd'),
            ("For how long can I borrow {g}?", 'd'),
        ],
    },
    Clause {
        says: &[
            "whoever is late pays {m} for each day.",
            "a fine of {m} a day is due for what comes back late.",
        ],
        asks: &[
            ("How much is the fine for being late?", 'm'),
            ("What do I pay if I am late?", 'm'),
            ("What is the late fee per day?", 'm'),
        ],
    },
    Clause {
        says: &[
            "a deposit of {m} is taken for {g}.",
            "{g} are handed out against a deposit of {m}.",
        ],
        asks: &[
            ("How much is the deposit for {g}?", 'm'),
            ("What deposit is taken?", 'm'),
            ("What is the deposit of {m} for?", 'g'),
        ],
    },
    Clause {
        says: &[
            "lost {g} are replaced for {m}.",
            "replacing lost {g} costs {m} and takes {d}.",
        ],
        asks: &[
            ("What does it cost to replace lost {g}?", 'm'),
            ("How much do I pay for lost {g}?", 'm'),
        ],
    },
    Clause {
        says: &[
            "the office was opened in {c} on {y}.",
            "on {y} the office moved to {c}.",
        ],
        asks: &[
            ("In which town is the office?", 'c'),
            ("Where is the office?", 'c'),
            ("When did the office open or move?", 'y'),
        ],
    },
    Clause {
        says: &[
            "all {g} are made in {c}.",
            "the factory in {c} makes our {g}.",
        ],
        asks: &[
            ("Where are the {g} made?", 'c'),
            ("In which town are {g} made?", 'c'),
            ("What is made in {c}?", 'g'),
        ],
    },
    Clause {
        says: &[
            "it was founded by {o} in {c}.",
            "its founder, {o}, began in {c}.",
        ],
        asks: &[
            ("Who founded it?", 'o'),
            ("Where was it founded?", 'c'),
            ("Who was the founder?", 'o'),
        ],
    },
    Clause {
        says: &[
            "{n} people work in {c}.",
            "the branch in {c} employs {n} people.",
        ],
        asks: &[
            ("How many people work in {c}?", 'n'),
            ("How many employees does the branch in {c} have?", 'n'),
            ("Where do {n} people work?", 'c'),
        ],
    },
    Clause {
        says: &[
            "payments are made {h}.",
            "you can pay {h}.",
            "we take payments {h} only.",
        ],
        asks: &[
            ("How can I pay?", 'h'),
            ("How are payments made?", 'h'),
            ("Which way of paying is there?", 'h'),
        ],
    },
    Clause {
        says: &[
            "an invoice is due after {d}.",
            "invoices have to be paid within {d}.",
        ],
        asks: &[
            ("When is an invoice due?", 'd'),
            ("Within how long must an invoice be paid?", 'd'),
            ("How long do I have to pay?", 'd'),
        ],
    },
    Clause {
        says: &[
            "amounts over {m} can be paid in {n} installments.",
            "from {m} on, payment in {n} parts is possible.",
        ],
        asks: &[
            ("In how many parts can I pay?", 'n'),
            ("From which amount on can I pay in installments?", 'm'),
            ("How many installments are there?", 'n'),
        ],
    },
    Clause {
        says: &[
            "data about customers is deleted after {d}.",
            "we keep what we know about customers for {d}, then it is deleted.",
        ],
        asks: &[
            ("How long is customer data kept?", 'd'),
            ("When is data about customers deleted?", 'd'),
            ("After what time is personal data deleted?", 'd'),
        ],
    },
    Clause {
        says: &[
            "calls are recorded and kept for {d}.",
            "recordings of calls are thrown away after {d}.",
        ],
        asks: &[
            ("How long are calls kept?", 'd'),
            ("For how long do you keep recordings?", 'd'),
        ],
    },
    Clause {
        says: &[
            "passwords must have {n} letters and be changed every {d}.",
            "a password has at least {n} letters; after {d} a new one is needed.",
        ],
        asks: &[
            ("How many letters must a password have?", 'n'),
            ("How often must passwords be changed?", 'd'),
            ("How long is a password at least?", 'n'),
        ],
    },
    Clause {
        says: &[
            "an account is locked after {n} wrong tries for {d}.",
            "after {n} wrong passwords nobody can log in for {d}.",
        ],
        asks: &[
            ("After how many wrong tries is an account locked?", 'n'),
            ("How long is an account locked?", 'd'),
        ],
    },
    Clause {
        says: &[
            "staff have {n} days of holiday and may carry over {d}.",
            "each year has {n} days of holiday.",
        ],
        asks: &[
            ("How many days of holiday are there?", 'n'),
            ("How much holiday do staff have?", 'n'),
        ],
    },
    Clause {
        says: &[
            "whoever is ill for more than {d} needs {k}.",
            "after {d} of illness, {k} has to be handed in.",
        ],
        asks: &[
            ("What do I need if I am ill?", 'k'),
            ("After how long must illness be proved?", 'd'),
            ("What has to be handed in when someone is ill?", 'k'),
        ],
    },
    Clause {
        says: &[
            "travel by train is paid back up to {m}, if {k} is shown.",
            "for train journeys up to {m} is paid back.",
        ],
        asks: &[
            ("Up to which amount is train travel paid back?", 'm'),
            ("How much of a train ticket is paid back?", 'm'),
        ],
    },
    Clause {
        says: &[
            "purchases over {m} need the consent of {o}.",
            "{o} has to agree to anything above {m}.",
        ],
        asks: &[
            ("Who has to agree to large purchases?", 'o'),
            ("From which amount on is consent needed?", 'm'),
            ("Whose consent is needed?", 'o'),
            ("Above what sum does someone have to agree?", 'm'),
        ],
    },
    Clause {
        says: &[
            "the meeting takes place every {w} at {t}.",
            "every {w}, staff meet at {t} in {c}.",
        ],
        asks: &[
            ("On which day is the meeting?", 'w'),
            ("At what time is the meeting?", 't'),
            ("When do staff meet?", 't'),
        ],
    },
    Clause {
        says: &[
            "applications are taken until {y}.",
            "the last day to apply is {y}.",
            "whoever wants to apply has to do it by {y}.",
        ],
        asks: &[
            ("What is the last day to apply?", 'y'),
            ("Until when can I apply?", 'y'),
            ("By when do I have to apply?", 'y'),
        ],
    },
    Clause {
        says: &[
            "the course begins on {y} and lasts {d}.",
            "lessons start on {y} and go on for {d}.",
        ],
        asks: &[
            ("When does the course begin?", 'y'),
            ("How long is the course?", 'd'),
            ("When do lessons start?", 'y'),
            ("How long do the lessons go on?", 'd'),
        ],
    },
    Clause {
        says: &[
            "to pass, {p} of the answers must be right.",
            "the examination is passed with {p}.",
        ],
        asks: &[
            ("How much must be right to pass?", 'p'),
            ("What share of the answers has to be right?", 'p'),
            ("What do I need to pass the examination?", 'p'),
        ],
    },
    Clause {
        says: &[
            "{g} should be cleaned every {d}.",
            "clean your {g} once every {d}, or they wear out sooner.",
        ],
        asks: &[
            ("How often should {g} be cleaned?", 'd'),
            ("How often do I clean the {g}?", 'd'),
        ],
    },
    Clause {
        says: &[
            "a full charge takes {d} and lasts for {n} hours of use.",
            "after {d} of charging it runs for {n} hours.",
        ],
        asks: &[
            ("How long does a full charge take?", 'd'),
            ("How many hours does it run?", 'n'),
            ("How long must it be charged?", 'd'),
        ],
    },
    Clause {
        says: &[
            "spare parts for {g} are kept for {d}.",
            "you can get parts for {g} for {d} after the last one was made.",
        ],
        asks: &[
            ("How long are spare parts for {g} kept?", 'd'),
            ("For how long can I get parts for {g}?", 'd'),
        ],
    },
    Clause {
        says: &[
            "a repair costs {m} and is done by {o}.",
            "{o} repairs things for {m} at most.",
        ],
        asks: &[
            ("What does a repair cost?", 'm'),
            ("Who does the repairs?", 'o'),
            ("How much is a repair?", 'm'),
        ],
    },
    Clause {
        says: &[
            "breakfast is served until {t} and costs {m}.",
            "for {m} there is breakfast, until {t}.",
        ],
        asks: &[
            ("Until when is there breakfast?", 't'),
            ("How much is breakfast?", 'm'),
            ("When does breakfast end?", 't'),
        ],
    },
    Clause {
        says: &[
            "rooms are ready from {t} on and have to be left after {d}.",
            "guests can have their room from {t} on.",
        ],
        asks: &[
            ("From when on are rooms ready?", 't'),
            ("When can I have my room?", 't'),
        ],
    },
    Clause {
        says: &[
            "parking costs {m} for {d}.",
            "a place to park is {m} for {d}.",
        ],
        asks: &[
            ("How much does parking cost?", 'm'),
            ("What do I pay for parking?", 'm'),
        ],
    },
    Clause {
        says: &[
            "dogs are allowed for {m}, as long as {k} is shown.",
            "a dog may come along for {m}.",
        ],
        asks: &[
            ("What does it cost to bring a dog?", 'm'),
            ("How much is it for a dog?", 'm'),
        ],
    },
    Clause {
        says: &[
            "vouchers are worth {m} and expire after {d}.",
            "a voucher of {m} can be used for {d}.",
        ],
        asks: &[
            ("How long can a voucher be used?", 'd'),
            ("What is a voucher worth?", 'm'),
            ("When do vouchers expire?", 'd'),
        ],
    },
    Clause {
        says: &[
            "the trial lasts {d}; then it costs {m} a month.",
            "after a free trial of {d}, {m} is charged every month.",
        ],
        asks: &[
            ("How long is the free trial?", 'd'),
            ("What does it cost after the trial?", 'm'),
            ("How much is charged every month?", 'm'),
        ],
    },
    Clause {
        says: &[
            "files of up to {n} megabytes can be sent.",
            "no file may be larger than {n} megabytes.",
        ],
        asks: &[
            ("How large may a file be?", 'n'),
            ("How many megabytes may a file have?", 'n'),
            ("What is the largest file that can be sent?", 'n'),
        ],
    },
    Clause {
        says: &[
            "backups are made at {t} and kept for {d}.",
            "every night at {t} a backup is made; it is kept for {d}.",
        ],
        asks: &[
            ("When are backups made?", 't'),
            ("How long are backups kept?", 'd'),
            ("At what time is the backup?", 't'),
        ],
    },
    Clause {
        says: &[
            "servers are restarted every {w} by {o}.",
            "{o} restarts the servers on {w}.",
        ],
        asks: &[
            ("On which day are servers restarted?", 'w'),
            ("Who restarts the servers?", 'o'),
        ],
    },
    Clause {
        says: &[
            "in an emergency, {o} must be told within {d}.",
            "tell {o} about any accident, {d} later at the latest.",
        ],
        asks: &[
            ("Who must be told in an emergency?", 'o'),
            ("Whom do I tell about an accident?", 'o'),
            ("How soon must an accident be reported?", 'd'),
        ],
    },
    Clause {
        says: &[
            "the pool holds {n} people and is cleaned on {w}.",
            "at most {n} people may be in the pool.",
        ],
        asks: &[
            ("How many people may be in the pool?", 'n'),
            ("How many people does the pool hold?", 'n'),
        ],
    },
    Clause {
        says: &[
            "take one tablet every {d}, at most {n} a day.",
            "no more than {n} tablets a day, with {d} between them.",
        ],
        asks: &[
            ("How many tablets a day may I take?", 'n'),
            ("How long between two tablets?", 'd'),
            ("How many tablets are allowed in a day?", 'n'),
        ],
    },
    Clause {
        says: &[
            "an appointment can be changed {h} until {d} before.",
            "up to {d} before, an appointment may be changed {h}.",
        ],
        asks: &[
            ("How can an appointment be changed?", 'h'),
            ("Until when can I change an appointment?", 'd'),
            ("How long before can an appointment be changed?", 'd'),
        ],
    },
    Clause {
        says: &[
            "{p} of the price is kept if a trip is cancelled.",
            "whoever cancels loses {p} of the price.",
        ],
        asks: &[
            ("How much of the price is kept when I cancel?", 'p'),
            ("What does it cost to cancel?", 'p'),
            ("What share is lost by cancelling?", 'p'),
        ],
    },
    Clause {
        says: &[
            "seats can be booked {h} from {y} on.",
            "from {y} on, seats are sold {h}.",
        ],
        asks: &[
            ("From when on can seats be booked?", 'y'),
            ("How can seats be booked?", 'h'),
            ("When does the sale of seats begin?", 'y'),
        ],
    },
    Clause {
        says: &[
            "new prices apply from {y} on: {g} cost {m}.",
            "from {y} on, {g} will cost {m}.",
        ],
        asks: &[
            ("What do {g} cost?", 'm'),
            ("From when on do the new prices apply?", 'y'),
            ("How much are {g}?", 'm'),
        ],
    },
    Clause {
        says: &[
            "goods are checked by {o} before they leave {c}.",
            "before anything leaves {c}, {o} looks at it.",
        ],
        asks: &[
            ("Who checks the goods?", 'o'),
            ("Where do the goods come from?", 'c'),
            ("Who looks at goods before they leave?", 'o'),
        ],
    },
    Clause {
        says: &[
            "a copy of the report costs {m} and is sent {h}.",
            "reports are sent {h} for {m}.",
        ],
        asks: &[
            ("How is the report sent?", 'h'),
            ("What does a copy of the report cost?", 'm'),
            ("How much is a report?", 'm'),
        ],
    },
    Clause {
        says: &["for {g}, {k} is required.", "nobody gets {g} without {k}."],
        asks: &[
            ("What is required for {g}?", 'k'),
            ("What do I need to get {g}?", 'k'),
            ("What does one get with {k}?", 'g'),
        ],
    },
];

/// Sections under which things are laid down.
const TITLES: &[&str] = &[
    "General terms",
    "House rules",
    "What to know",
    "For customers",
    "For staff",
    "Handbook",
    "Questions and answers",
    "Fees",
    "Times",
    "Service",
    "Terms of use",
    "Guide",
    "In short",
    "Good to know",
    "Details",
    "Conditions",
    "How we work",
    "Rules",
    "Our offer",
    "Before you come",
];

/// What the places of a clause stand for in this world.
struct Places {
    all: Vec<(char, String)>,
}

impl Places {
    fn new(random: &mut Random) -> Self {
        let all = ['d', 'm', 'n', 'p', 't', 'y', 'w', 'c', 'o', 'g', 'k', 'h'];
        let all = all.map(|place| (place, value(random, place)));
        Self { all: all.to_vec() }
    }

    fn get(&self, wanted: char) -> &str {
        let found = self.all.iter().find(|(place, _)| *place == wanted);
        found.map_or("", |(_, value)| value)
    }

    fn fill(&self, form: &str) -> String {
        let places: Vec<(char, &str)> =
            self.all.iter().map(|(at, it)| (*at, it.as_str())).collect();
        fill(form, &places)
    }
}

fn value(random: &mut Random, place: char) -> String {
    match place {
        'd' => {
            let number = random.word(NUMBERS);
            let unit = random.word(&[
                "days",
                "weeks",
                "months",
                "hours",
                "minutes",
                "years",
                "working days",
            ]);
            format!("{number} {unit}")
        }
        'm' => Value::Price.make(random),
        'n' => random.word(NUMBERS).to_owned(),
        'p' => Value::Percent.make(random),
        't' => Value::Time.make(random),
        'y' => Value::Date.make(random),
        'w' => Value::Weekday.make(random),
        'c' => Value::Place.make(random),
        'o' => {
            if random.chance(0.7) {
                random.word(DESKS).to_owned()
            } else {
                Value::Person.make(random)
            }
        }
        'g' => {
            if random.chance(0.8) {
                random.word(THINGS).to_owned()
            } else {
                Name::Product.make(random)
            }
        }
        'k' => random.word(PROOFS).to_owned(),
        _ => random.word(MEANS).to_owned(),
    }
}

/// Makes a world of `count` clauses.
pub(crate) fn policies(random: &mut Random, phrasing: Phrasing, count: usize) -> World {
    let mut all: Vec<usize> = (0..CLAUSES.len()).collect();
    random.shuffle(&mut all);
    let (here, elsewhere) = all.split_at(count.min(all.len() - 2));
    let mut world = World::default();
    let mut left = here;
    let mut taken: Vec<String> = Vec::new();
    while !left.is_empty() {
        let size = random.from(1, 4).min(left.len());
        let passage = world.passages.len();
        let mut sentences = Vec::new();
        for at in &left[..size] {
            let clause = &CLAUSES[*at];
            // What is told twice would have two answers.
            let places = loop {
                let places = Places::new(random);
                if !taken.contains(&places.get('g').to_owned()) {
                    break places;
                }
            };
            taken.push(places.get('g').to_owned());
            let form = *random.pick(clause.says);
            sentences.push(sentence(&places.fill(form)));
            for (number, (question, answer)) in clause.asks.iter().enumerate() {
                // One way of asking in three is kept from training.
                let held_back = number == 2;
                let told = form.contains(&format!("{{{answer}}}"));
                let meant = question
                    .match_indices('{')
                    .all(|(at, _)| form.contains(&question[at..at + 3]));
                if !told || !meant || held_back != (phrasing == Phrasing::Unseen) {
                    continue;
                }
                world.asks.push(Ask {
                    question: places.fill(question),
                    answer: places.get(*answer).to_owned(),
                    passage,
                });
            }
            if random.chance(0.2) {
                sentences.push(random.word(FILLERS).to_owned());
            }
        }
        left = &left[size..];
        let text = if random.chance(0.15) {
            sentences.iter().map(|it| format!("- {it}\n")).collect()
        } else {
            paragraph(random, &sentences)
        };
        let title = if random.chance(0.7) {
            capital(random.word(TITLES))
        } else {
            String::new()
        };
        world.passages.push(Passage { title, text });
    }
    for at in elsewhere.iter().take(3) {
        let places = Places::new(random);
        let (question, _) = random.pick(CLAUSES[*at].asks);
        world.missing.push(places.fill(question));
    }
    world
}
