# SPDX-License-Identifier: Apache-2.0
"""Build the quickstart data set: customer-support intents for a made-up shop with a pay card.

How the data was written
------------------------
The phrasings below were written for this project, line by line, by an AI assistant (a
language model) working on it; they were not collected from users, from customer records or
from an existing data set, and no native-speaker review or second annotation was made. The
shop, its card and all its customers are invented; first names are common ones and stand for
nobody.

Each of the 20 intents has two lists of phrasings, those for training and those held out;
of the held-out ones every third goes to validation and the rest to test. Half of the test
sentences (7 in 15 of the validation sentences) use held-out phrasings, which training never
shows; the others use phrasings of the training list with other wording, other slot values
or both. No sentence of one split is a sentence of another one with a different lead-in,
greeting, closing or spelling mistake. Some intents differ only by direction, by negation or
by what has already happened ("ask Tom for $20" / "send Tom $20"; "don't cancel it, just
bring it later"; "it has not come yet" / "it has come").

A phrasing is a small pattern:

* ``(a|b|c)`` chooses one of the alternatives; it may be nested and may be empty,
* ``{item}`` is filled from a list of slot values (see ``SLOTS``); ``{item2}`` is a second,
  different value of the same list.

A sentence may then get a lead-in sentence that fits several intents, a greeting, a closing,
casual lower-case spelling without punctuation, and now and then a typing mistake.

The script uses the standard library only, is seeded, and always writes the same bytes:

    python build.py            # rewrites the three files next to this script
    python build.py --check    # exits 1 when the files differ from what it would write

License: Apache-2.0, with the rest of the project (code and data).
"""

import argparse
import hashlib
import json
import random
import re
import sys
from pathlib import Path

SEED = 20240607
ROWS = {"train": 120, "validation": 15, "test": 30}  # per intent
UNSEEN = {"train": 0, "validation": 7, "test": 15}  # of these, with a phrasing that training never uses

SLOTS = {
    "gadget": ["desk lamp", "kettle", "coffee grinder", "toaster", "blender", "headset",
               "wall clock", "keyboard"],
    "wear": ["rain jacket", "winter coat", "wool sweater", "linen shirt", "raincoat", "hoodie"],
    "thing": ["backpack", "phone case", "yoga mat", "bookshelf", "tent", "suitcase", "desk chair",
              "water bottle", "rug", "frying pan", "picnic blanket", "wireless mouse"],
    "wears": ["running shoes", "sneakers", "jeans", "ski gloves", "hiking boots", "slippers"],
    "fabrics": ["curtains", "bath towels", "pillows", "cushions", "bed sheets"],
    "things": ["headphones", "wine glasses", "sunglasses", "candle holders"],
    "day": ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"],
    "ago": ["yesterday", "last week", "two days ago", "on Sunday", "this morning",
            "a few days ago", "last month", "on the 3rd"],
    "time": ["in the morning", "in the evening", "after five", "before noon", "around lunchtime"],
    "person": ["Anna", "Tom", "Maria", "Ben", "my sister", "my brother", "my roommate", "my mum",
               "my landlord", "my friend Leo", "Priya", "my cousin", "Yusuf", "my neighbour",
               "Chloe", "my dad"],
    "amount": ["$20", "$45", "$60", "$100", "$250", "$500", "50 dollars", "80 dollars",
               "120 dollars", "300 dollars", "two hundred dollars", "fifty bucks", "$1,000",
               "$35.50", "$15"],
    "place": ["the supermarket", "the petrol station", "the pharmacy", "the bakery",
              "a restaurant", "the train station", "the bookshop", "a hotel", "the cinema",
              "the hardware store", "a coffee shop"],
    "size": ["small", "medium", "large", "extra large"],
    "color": ["black", "grey", "green", "navy", "white", "red", "brown"],
    "street": ["12 Oak Street", "8 Mill Lane", "45 Park Avenue", "3 Station Road",
               "27 Hill Street", "90 River Walk", "16 Garden Close"],
    "reason": ["dinner", "lunch", "the tickets", "the taxi", "the groceries", "the present", "the concert",
               "the hotel room", "the petrol"],
    "num": ["two", "three", "four"],
}
SLOTS["item"] = SLOTS["gadget"] + SLOTS["wear"] + SLOTS["thing"]
SLOTS["items"] = SLOTS["wears"] + SLOTS["fabrics"] + SLOTS["things"]
SLOTS["cash"] = [value for value in SLOTS["amount"] if value.startswith("$")]

LEADS = {
    "order": [
        "I ordered the {item} {ago}.", "It's about order {oid}.", "I bought a new {item} {ago}.",
        "I have a question about order {oid}.", "I placed an order {ago}.",
        "This is about the {item} from order {oid}.", "I got some {items} in your sale.",
        "I'm writing about the {items}.", "There is a problem with my purchase.",
        "It was supposed to be a gift.",
    ],
    "card": [
        "I'm at {place} right now.", "It's about my card.", "I'm travelling at the moment.",
        "I have the {color} card.", "This is urgent.", "I have a question about my card.",
        "I've been a customer for years.", "It's the card ending in {last4}.",
        "I was at {place} {ago}.",
    ],
    "money": [
        "Rent is due on {day}.", "I just got paid.", "I'm planning a trip.",
        "I was at {place} with {person} {ago}.", "I have a quick money question.",
        "It's my first time doing this.", "I'm in the app now.", "I looked at my account {ago}.",
    ],
    "account": [
        "I'm in the app now.", "I've been a customer for years.", "I have a question about my account.",
        "I got a new phone {ago}.", "I tried the website {ago}.", "It's about my profile.",
    ],
}

# A greeting or closing, and whether it fits a question, a statement or request, a short note.
GREETINGS = {
    "hi,": "qsn", "hello,": "qsn", "hey,": "qsn", "hi there,": "qsn", "good morning,": "qs",
    "good evening,": "qs", "sorry to bother you, but": "qs", "quick question:": "q", "um,": "qs",
    "so,": "qs",
}
CLOSINGS = {
    "Thanks!": "qsn", "Thank you.": "qs", "Thanks in advance.": "qs", "Cheers.": "qs",
    "Can you help?": "s", "Any help is welcome.": "q",
}

# intent -> (family of lead-ins, phrasings for training, held-out phrasings)
INTENTS = {}


def intent(name, family, train, held_out):
    """Register one intent; each non-empty line of the two blocks is one phrasing."""
    lines = [[ln.strip() for ln in block.strip().splitlines() if ln.strip()]
             for block in (train, held_out)]
    INTENTS[name] = (family, *lines)


# ---------------------------------------------------------------- orders

intent("cancel_order", "order", """
(please |)cancel (my|the) order (for the {item}|{oid}|I placed {ago}).
I (want|need|would like|'d like) to cancel (my order|order {oid}|the order from {ago}).
can (you|I) cancel the {item} (before it ships|before it is sent out|)?
how do I cancel an order (that hasn't shipped yet|I just placed|)?
I don't need the {item} anymore, please don't ship it.
please stop order {oid}, I (changed my mind|found it cheaper elsewhere|ordered it by mistake).
I ordered the {items} by mistake, (please cancel|can you cancel that)?
don't send the {item}, I no longer want it.
cancel everything in order {oid}.
is it too late to cancel (the {items}|order {oid}|what I ordered {ago})?
I ordered the {item} twice, (cancel one of them|please cancel the second order).
I don't want to change the order, I want to cancel it (completely|altogether).
my {item} hasn't shipped yet and I'd like to call the whole thing off.
can I still get out of my order (from {ago}|for the {items})?
(order {oid}|{item} order): cancel please
please cancel, I don't want to wait (until {day}|any longer) for the {items}.
I want to withdraw the order I made {ago}.
forget about the {item}, just cancel it.
my son ordered {items} without asking, we have to cancel.
scrap order {oid}, it was placed by accident.
the {item} hasn't come yet and I don't want it anymore, cancel it.
not a return, it hasn't been sent yet, I just want to cancel the order.
there's no cancel button for (my order|order {oid}), can you do it for me?
I clicked buy too fast, can that order be (cancelled|stopped)?
what's the way to call off an order before it leaves the warehouse?
(I'd like|I have|I want) to (call off|stop|withdraw) (my order|order {oid}|the order for the {item}).
can (order {oid}|the order for the {items}) be (stopped|called off|withdrawn)?
please (call off|stop|withdraw) the order (from {ago}|for the {item}) before it ships.
I (no longer|don't) (need|want) the {items}, please (cancel|stop) the order.
I (changed my mind|found the {item} cheaper elsewhere), can (I|you) still cancel?
please (don't|do not) (ship|send) (order {oid}|the {items}), it was a mistake.
no different color, no other day, just cancel (it|order {oid}).
would you cancel the {item} for me, it hasn't left your warehouse yet?
(will you|could you) stop (my order|order {oid}) (before it leaves the warehouse|before it's sent|)?
I'd rather cancel the {items} (than wait|after all).
cancelling (order {oid}|my order from {ago}), how does that work?
don't bring me the {item} on {day}, I want the order cancelled.
I want to get out of the order for the {item}, I bought it by accident.
instead of changing it, please cancel the order.
could (somebody|someone) please cancel the {item} I ordered {ago}?
please call off my order for the {items}.
I don't want a different color, I want the order cancelled.
can the order from {ago} still be stopped?
please withdraw my order, I found the {item} cheaper elsewhere.
""", """
I (no longer|don't) want what I ordered {ago}, please don't ship it.
cancel {oid}
I'd rather not get the {item} after all, stop the order before it ships.
will you let me cancel if the {items} haven't been sent out yet?
I changed my mind about the {item}, (cancel it please|is it too late to stop it)?
order {oid} was a mistake, can it be cancelled?
no need to bring it another day, just cancel the {item}.
I bought the {items} by accident and want to get out of the order.
(please|kindly) do not send order {oid}, I don't need it anymore.
I'd like the (whole|entire) order called off before it (leaves your warehouse|goes out|is on its way).
""")

intent("change_order", "order", """
(please |)change the {item} in my order to a {color} one.
I (want|need|would like|'d like) to change my order (before it ships|{oid}|).
can (you|I) add a {item} to (my order|order {oid})?
can I change the (size|color) of the {wears} in order {oid} before it ships?
I ordered the {item} in {color}, but I want {color2}, and it hasn't shipped yet.
please add {num} more {items} to the order I placed {ago}.
(please |)remove the {item} from my order but (keep|send) the rest.
don't cancel my order, just (replace the {item} with a {item2}|take the {item} off).
how do I (edit|change|modify) an order (that hasn't shipped yet|I just placed)?
I picked the wrong size for the {wear}, can you make it {size} before you send them?
make that {num} {gadget}s instead of one.
is it too late to add something to (my order|order {oid})?
I'd like to swap the {item} for a {item2} in the order I just placed.
can I still edit (my order|order {oid}|what I ordered {ago})?
my order should have the {color} {items}, not the {color2} ones, please update it before shipping.
(order {oid}|{wear} order): make it {size} please
I only need {num} of the {items}, please lower the quantity.
I forgot to put the {item} in order {oid}, can you include it?
I don't want to cancel, I only want to change the color to {color}.
please update order {oid}, I chose the wrong (size|color).
keep the {items}, drop the {item}, same order.
I typed the wrong quantity in my order, it should be {num}.
can the {item} in my order be {color} instead of {color2}?
I want to modify what's in order {oid}.
there's no edit button for my order, can you change the {wear} to {size} for me?
please (add|include) (the {items}|a {item}|one more {gadget}) (in|to) (order {oid}|the order I placed {ago}).
can (order {oid}|my order) still be (changed|edited|modified)?
please (drop|remove|take) the {items} (off|from) order {oid} and send (the rest|everything else).
I chose {color} by mistake, (my order|order {oid}) should be {color2}.
could you (increase|lower) the quantity of {items} to {num} before it ships?
will you (let me add|include) {items} if order {oid} hasn't been sent yet?
I'd rather have {color} than {color2}, please change it before it's sent.
no need to cancel (order {oid}|the order), just (add a {item}|take off the {items}|make it {color}).
one of the things in my order is the wrong size, please change it to {size} before shipping.
is there a way to (change|edit|modify) the (size|color|quantity) in my order?
I only want to (change|edit|modify) the order, not cancel it.
I ordered the wrong {item}, please replace it with the {item2} before you ship.
(order {oid}|my order): {num} more {items} please
could the order for the {wear} be updated to {size}?
could (somebody|someone) please add {items} to the order from {ago}?
take the {items} off my order, but don't cancel the rest.
order {oid}: one more {item} please
is there a way to include a {item} in an order I just placed?
I forgot something, can it still be added to my order?
""", """
I ordered the wrong color, can you make it {color} before it is sent out?
please modify order {oid}: {color} instead of {color2}.
will you let me (edit|change things in) the order if it (hasn't shipped|isn't on its way) yet?
I'd rather have the {item2} than the {item}, can you update my order before shipping?
no need to cancel, I only want (a different size|another color|one item less) in my order.
I'd like to increase the quantity of {items} in my order to {num}.
my order hasn't been sent yet and I want to swap the {color} {item} for a {color2} one.
please replace one of the {items} in order {oid} with a {item}.
I chose {size} by mistake, the order should say {size2}.
please drop the {item} from the order and send (everything else|what's left).
""")

intent("change_delivery", "order", """
(please |)deliver (my order|the {item}|order {oid}) on {day} instead (of {day2}|).
can (you|I) change the delivery (date|day|time) (to {day}|for order {oid}|)?
I (want|need|would like|'d like) to change the delivery address to {street}.
I won't be home on {day}, can you bring the {item} on {day2}?
please send (my order|the {items}|order {oid}) to {street} instead.
I don't want to cancel, just (bring|deliver) it (later|on {day}|another day).
could the driver come {time} (on {day}|)?
we moved, please ship (order {oid}|the {item}) to {street}.
can the {items} be delivered to my (office|neighbour|work) instead of my home?
please leave the parcel (with my neighbour|at the back door|at the front desk) on {day}.
I typed the wrong address, my order should go to {street}.
is it possible to move the delivery to {day} {time}?
how do I (change|move|switch) the delivery (date|address|slot)?
nobody is home {time}, please reschedule the delivery.
(order {oid}|{item} delivery): {day} instead please
can I pick the {item} up at a shop instead of having it delivered?
please hold my parcel until {day}, I'm away.
reschedule the delivery of the {items} (to {day}|for next week|).
{day} doesn't work for me, is there another delivery slot?
don't cancel order {oid}, just send it to {street}.
I'd like my order to come {time} rather than {time2}.
update the shipping address (for order {oid}|of my order), please.
I missed the driver {ago}, can you come again on {day}?
(please |)postpone the delivery (until {day}|by a week).
the order is fine, only the delivery day has to change.
can you (bring|deliver|send) the {items} on another day?
please don't (bring|send) (the parcel|the {item}) on {day}, (I'm away|nobody is home).
could the delivery be moved to {day} {time}?
will the driver be able to come on {day} instead?
no need to cancel, just deliver it (later|on {day}|to {street}).
I moved, so (my order|order {oid}) should go to {street}.
(the delivery|the shipping) address of order {oid} is wrong, please (change|update) it to {street}.
I'd (like|rather have) the {item} delivered {time} (on {day}|).
is it too late to change (the delivery day|the address) of my order?
leave order {oid} with a neighbour if I'm not home, please.
I'm away until {day}, can you (deliver|bring the {items}) later?
send the parcel to my office, not to my home address.
I want another delivery slot, {day} {time} would be better.
we won't be home {time}, please come {time2}.
I'd like to reschedule the delivery of my {item}.
could (somebody|someone) bring the {item} on {day} rather than {day2}?
the shipping address is wrong, it should be {street}.
can my parcel go to {street} instead?
I moved {ago}, can you update the address on order {oid}?
please bring the {items} later, nobody is home until {day}.
""", """
I'd like another delivery day for order {oid}.
please don't deliver on {day}, I won't be home, {day2} is better.
no need to cancel, can the driver just come on {day}?
will you let me move the delivery slot to {day} {time}?
deliver (order {oid} |)to my (office|work address) please, not to my home
I'm away (next week|this week|on holiday), please (postpone|delay) my order.
is it too late to have the {items} delivered {time}?
we aren't home {time}, can you come {time2}?
I want to reschedule when my {item} gets delivered.
can you leave the {item} with my neighbour instead?
""")

intent("track_order", "order", """
where is (my order|my {item}|order {oid}|my parcel)?
when will (my order|the {item}|order {oid}) (arrive|get here|be delivered)?
can (you|I) track (my order|order {oid}|the {item})?
I (want|need|would like|'d like) to know where my order is.
has (my order|order {oid}|the {item}) (shipped|been sent|left the warehouse) yet?
what's the status of (my order|order {oid}|the delivery)?
my {items} haven't (arrived|come) yet, where are they?
the {item} should have been here (on {day}|{ago}), what's going on?
still waiting for (the {item}|my {items}|order {oid}).
any news (on|about) (my order|order {oid}|the {item})?
do you have a tracking number for (order {oid}|the {item})?
is my {item} still coming (on {day}|today|tomorrow)?
I ordered {items} {ago} and nothing has arrived.
the tracking page (shows nothing|hasn't changed for days|says it's delayed), where's my parcel?
how do I (track|follow) an order?
how long until the {items} get here?
(order {oid}|{item} order): where is it?
my order is late, when does it come?
I don't want to cancel, I just want to know when it arrives.
has the driver left with my {item} yet?
it's {day} and there's still no sign of my {items}.
did you send the {item} already?
tell me when my order will be here.
which day will order {oid} be delivered?
I haven't received (my order|the {items}) yet, can you check where it is?
(could you|please) (check|find out|tell me) where (my parcel|order {oid}|the {item}) is.
I'd like (an update|some news) on (my order|order {oid}|the {item}).
what day (will|do) my {items} arrive?
why (is|are) my {items} not here yet?
is the {item} (on the way|with the driver|still in the warehouse)?
do you know when (order {oid}|my parcel) (arrives|gets here|will come)?
(my order|the {item}) was supposed to be here by {day}.
nothing has arrived yet, what's going on with order {oid}?
how far away is (my parcel|the driver)?
please send me the tracking link for (the {items}|order {oid}).
how can I see where my parcel is?
I'm not changing anything, just tell me when the {items} come.
no sign of (order {oid}|my parcel) yet, where is it?
was order {oid} (shipped|sent) already?
tracking number for order {oid} please
could (somebody|someone) check where my {item} is?
still no sign of the {items} I ordered {ago}.
I'm not cancelling anything, just tell me if order {oid} has shipped.
my {item} was supposed to arrive on {day}, where is it?
what's going on with my parcel, nothing has come yet?
""", """
what day does order {oid} arrive?
track {oid}
I'd like an update on where my (parcel|{item}|order) is.
are the {items} already on the way?
how far away is the driver with my {item}?
how can I follow the delivery of my {item}?
do you know when the {items} will be delivered?
why is (my order|the {item}|order {oid}) so late?
please send me the tracking number of order {oid}.
has my {item} left the warehouse?
""")

intent("return_item", "order", """
I (want|need|would like|'d like) to return (the {item}|my {items}|something I bought {ago}).
how do I (return|send back) (the {item}|an item|something)?
can I (return|send back) the {items} (I got {ago}|after two weeks|without the box)?
the {item} arrived but I don't (like|want|need) it, can I send it back?
(please |)send me a return label (for the {item}|for order {oid}|).
I got the {items} {ago} and want my money back, where do I send them?
where do I (send|drop off) (a return|the {item} I want to give back)?
is it too late to return the {item} I received {ago}?
the {items} came {ago} and they're not what I expected, I want to send them back.
I don't want another size, I just want to return the {wears}.
how many days do I have to return (the {item}|an order|something)?
I'd like to give back the {item} from order {oid}.
return the {item} please
(order {oid}|{item}): I'd like to return it
what is your return policy for {items}?
I've already opened the {item}, can I still return it?
can someone collect the {item} I'm sending back?
the {gadget} works fine but I don't need it, I'd like to send it back.
I'm not happy with the {items} and want to return them for a refund.
do I have to pay for (return shipping|sending the {items} back)?
not an exchange, please, just a return of the {item}.
it's too late to cancel, the {item} is here, so I want to return it.
my {items} came {ago}, how can I bring them back to a shop?
I received the {item} as a gift, can I return it?
I'd like to start a return for order {oid}.
I'd like to (send back|give back) the {item} (I received {ago}|that came {ago}).
could you send a return label for the {items}?
I don't want to keep the {item}, (how do I send it back|can you take it back)?
will you take back {items} (I've tried on|without the box|I've already opened)?
what's the (place|address) for returns?
no exchange and no replacement, I want to return the {item} and get my money back.
can (order {oid}|the {item}) be returned (for a refund|after two weeks|)?
the {items} I received aren't what I expected, how does a return work?
I'd rather return the {item} than exchange it.
how long can I wait before I send the {items} back?
starting a return: the {items} from order {oid}
is a return free?
can I drop off the {item} I'm returning at one of your shops?
I've got the {items} but don't like them, please take them back for a refund.
could (somebody|someone) send me a label to return the {item}?
start a return for the {items} please
the {item} came {ago}, but I don't want to keep it.
where's the place to drop off a parcel I'm returning?
is return shipping free for the {item}?
""", """
I've tried on the {wears} and don't like them, how do I send them back?
what's the way to give back a {item} I received {ago}?
I don't need a replacement, I want to send the {item} back and get a refund.
will you take the {item} back if I've opened the box?
can I bring the {items} back to one of your shops?
return {oid}
I'd rather not keep the {items}, how does a return work?
how (long|much time) do I have to send (something|the {item}) back?
my {item} arrived and it isn't what I expected, I'd like to return it.
can the {items} from order {oid} still be returned?
""")

intent("exchange_item", "order", """
I (want|need|would like|'d like) to exchange (the {wear}|my {wears}|the {wears} I got {ago}) for a (larger|smaller|different) size.
can I (exchange|swap) the {item} I received for a {color} one?
the {wears} arrived but they're too (small|big|tight), can I get a {size}?
how do I exchange (an item|the {item}|something I received)?
the {item} came in {color} but I'd prefer {color2}, can we swap?
I don't want my money back, I want (another size|a different color|a {size} instead).
I got the {wears} {ago}, can I trade them for a {size}?
please exchange the {wear} for (a {size}|a {color} one|another model).
these {wears} don't fit, I need a (larger|smaller) pair.
I received the {wear} in {size} and need it in {size2}.
can I send back the {items} and get the {color} ones instead?
(order {oid}|{wear}): exchange for {size} please
not a refund, please, just (an exchange|swap the {wear} for a {size}).
is it possible to exchange a gift for a different {item}?
the {wears} are here, but I need them in {size}, how do I swap them?
do I have to pay if I exchange the {item}?
I'd like to swap the {color} {item} that came {ago} for a {color2} one.
how long do I have to exchange the {items}?
instead of returning the {item}, I'd like it in another color.
exchange the {items} I received please
the size I got is wrong for me, send a {size} and I'll give this one back.
my {wears} came {ago} and they're too tight, what about an exchange?
can I bring the {item} to a shop and swap it for another one?
I'd like to trade in the {item} I received for the {color} version.
I tried the {wears} on and they're too small, I want to exchange them.
could you help me (exchange|swap) the {wears} that came {ago}?
I'd rather have (a {size}|a larger one|a smaller one) than the {wear} I got.
the {wears} that arrived (are too big|are too small|don't fit), I'd like another pair.
I'd like (the {color} version|a different color) of the {item} I received.
will you exchange {wears} I've already tried on?
what's the way to swap something I received for a bigger size?
can the {item} I got be exchanged for {color}?
I don't want a refund, just (a larger size|another color|a pair that fits).
the {wear} doesn't fit, can I get the same one in {size}?
I want to keep the {wear} but in a different size, how do I exchange it?
I'd like to give back the {wears} and get a bigger pair.
is it free to exchange {wears} that don't fit?
instead of my money back, send me the {items} in {color}.
too small, please exchange the {wears} for a larger size
could (somebody|someone) help me swap the {wears} I got for a {size}?
exchange {oid} for a larger size
the {wears} came {ago} and don't fit, can I trade them for another pair?
I want to keep the style but get the {wears} in a bigger size, they arrived {ago}.
I tried on the {wears} and need a larger size.
""", """
the {wear} that arrived is too big, I'd like a smaller one instead.
I'd rather have the {color} version of the {item} I received, can I exchange it?
I don't want a refund, just the same {wears} in {size}.
will you swap the {wear} if I've already worn it?
what's the way to exchange a {item} for a different color?
can the {wears} I received be exchanged for {size} ones?
is an exchange free if the {wear} doesn't fit?
I'd like to give back the {color} {item} and get a {color2} one.
instead of my money back I'd like another {item}.
too tight, I need the {wears} in {size}, can we swap?
""")

intent("refund_status", "order", """
where is my refund (for the {item}|for order {oid}|)?
when will I get my (money back|refund) (for the {items}|for order {oid}|)?
I (returned|sent back) the {item} {ago} and still haven't (got|received|seen) my refund.
has my refund (been sent|been processed|gone through) yet?
how long does a refund take?
what's the status of my refund (for order {oid}|)?
I cancelled (my order|order {oid}) {ago}, where's my money?
the refund of {amount} (hasn't arrived|isn't in my account), when does it come?
still waiting for (my refund|my money|the {amount} you owe me for the {item}).
any news (on|about) (my refund|the refund for order {oid})?
I only got part of my refund for the {items}, where's the rest?
did you get the {items} I returned, and when do you pay me back?
you have my {item} back since {day}, why no refund?
my return arrived at your warehouse {ago}, when is the money coming?
(order {oid}|{item} refund): where is it?
I want to know (when|if) the refund is coming.
it's been weeks since I sent the {item} back and no money yet.
is the {cash} refund on its way?
you promised a refund {ago}, nothing has come.
has the money for my cancelled order been sent?
I don't want to return anything, I already did, I want to know where my refund is.
how many days until the refund shows up on my card?
why is my refund so late?
will the refund go to my card or my account?
can you check the refund for the {items} I sent back {ago}?
(could you|please) (check|tell me) where my (refund|money) is.
why haven't I (got|received|seen) my refund yet?
I would like (some|any) news on (my refund|the refund for the {item}).
you got the {items} back {ago}, so where is my money?
the order was cancelled {ago}, when do I get the {cash} back?
has (the {amount}|my money) been paid back (yet|already)?
do you know when my money (comes back|will be back in my account)?
how long until I get the money for the returned {item}?
part of my refund (is missing|hasn't come), where's the rest?
you said the refund would come on {day}, is it still coming?
please tell me when the money for the {items} I sent back will arrive.
refund for order {oid} still hasn't come
I returned the {item}, when do I get paid back?
still no money for the {item} I cancelled {ago}.
could (somebody|someone) check where my refund is?
refund for {oid}?
has the {amount} for the returned {item} been paid back?
you got the {item} back {ago}, so when do I get paid?
you said I'd have my {amount} back on {day}, what's going on?
""", """
I cancelled the {item} {ago} and the money hasn't come back yet.
how (many days|many weeks|long) does it take to get (a refund|my money for order {oid})?
still no refund for the {items} I returned {ago}.
I'd like an update on my (refund|money for the {item}).
why haven't I received the money for the {items} I sent back?
do you know (when|if|on which day) my refund will (arrive|come)?
(the order|order {oid}|the {item} order) is cancelled, but where's my money?
is (my refund|the {cash} refund) still (coming|on its way)?
please tell me if the refund for order {oid} has gone through.
(part|half) of the refund is missing, when does the rest (come|arrive)?
""")

intent("item_damaged", "order", """
the {item} (arrived|came) (broken|damaged|cracked|with a scratch).
my {fabrics} arrived (damaged|torn|with a stain).
I received a (broken|damaged|faulty|defective) {gadget}.
the {gadget} (doesn't work|stopped working|won't turn on|is faulty).
the box was (crushed|open|wet) and the {item} inside is (broken|damaged).
one of the {things} is (broken|damaged|missing).
there's a (hole|tear) in the {wear} you sent me.
I want to report a damaged {item} (from order {oid}|).
what do I do if (an item|the {item}) arrives (broken|damaged)?
the {item} I got {ago} is already broken.
(order {oid}|{item}): arrived broken
parts are missing from the (bookshelf|tent|desk chair|desk lamp), I can't put it together.
I opened the parcel and the {gadget} was in pieces.
I'd like to complain, the {wears} are of bad quality and fell apart after a day.
the {item} looks used and has scratches all over.
can you help, the {gadget} makes a strange noise and then stops.
the driver dropped my parcel and now the {gadget} is cracked.
not the wrong size, it's broken: the {gadget} has a crack.
the zip on my new (suitcase|backpack|tent|rain jacket|hoodie) is broken.
who do I talk to about a faulty {gadget}?
my order came {ago} and the {items} are damaged.
the handle of the (suitcase|kettle|frying pan|blender) came off the first time I used it.
you sent me a {gadget} that doesn't work.
something inside the {gadget} is loose and it won't turn on.
I have photos of the damage to my {items}, where do I send them?
(could you|can someone) help me with a {gadget} that arrived (broken|cracked|damaged)?
I'd like to (report|complain about) (a faulty {gadget}|a damaged parcel|broken {things}).
my {gadget} is (defective|faulty|cracked|broken).
I opened the box and found the {item} (broken|damaged|scratched).
the {wears} I received (are torn|fell apart on the first day|have a hole).
a piece of the {gadget} (is missing|broke off).
the {item} in order {oid} came (damaged|with scratches|broken).
what happens if my {gadget} stops working?
it isn't late, it's here, but the {item} is broken.
the {fabrics} were wet and have stains.
the parcel arrived wet and everything inside is damaged.
it already broke, the {gadget} I received {ago}.
here are photos of my damaged {item}, what now?
not a question of size, the {wear} is torn.
could (somebody|someone) help me, the {gadget} that came {ago} is cracked.
I opened the box and the {gadget} was in pieces.
my new {gadget} won't turn on.
everything in the parcel was wet and damaged.
the {gadget} is defective, it makes a noise and stops.
""", """
I'd like to report that my {items} arrived damaged.
broken {gadget} in order {oid}
it isn't too small, it's torn: there's a hole in the {wear}.
the {wears} you sent fell apart on the first day.
what happens if the {things} I got are (faulty|cracked)?
a part of the (bookshelf|tent|desk chair|coffee grinder) is missing.
I received the {gadget} {ago} and it already stopped working.
the {item} has scratches and looks used.
there's a big stain on the {fabrics} I received.
where can I send photos of my broken {item}?
""")

# ---------------------------------------------------------------- card

intent("card_lost", "card", """
I (lost|can't find|misplaced) my card.
my card (was stolen|is gone|is missing|got lost).
I (think|believe) (I left my card at {place}|my card was stolen|I dropped my card somewhere).
someone stole my (card|wallet) (at {place}|{ago}|).
(please |)block my card, (I lost it|it was stolen|I can't find it anywhere).
I (want|need|would like|'d like) to report a (lost|stolen|missing) card.
what do I do if (I lose my card|my card is stolen)?
I lost my wallet (at {place}|{ago}|) and my card was in it.
(please |)freeze my card until I find it.
can (you|I) block a card (I've lost|that was stolen)?
I need a new card because I lost the old one.
left my card at {place}, please block it
my purse is gone and so is my card.
lost card, help
how do I block a (lost|stolen) card?
I haven't seen my card since {day}.
my card isn't in my wallet anymore and I don't know where it is.
my card isn't declined, it's gone, I lost it.
I can't find the card you sent me {ago}, I had it at home.
a thief has my card, stop it right now.
somebody took my card out of my bag.
I need to stop my card, it disappeared {ago}.
please send a replacement, my card got lost at {place}.
I dropped my card on the train, can you freeze it?
my bag was stolen with the card inside.
(could you|please) (freeze|stop|block) the card I lost (at {place}|{ago}|).
I (don't know|have no idea) where I left my card.
where can I report that my card (was stolen|is missing|is lost)?
I dropped my (wallet|purse|bag) with my card in it.
my card (disappeared|was taken) (at {place}|{ago}).
someone took my (wallet|bag) and the card with it.
is it possible to (freeze|block|replace) a card that was (stolen|lost)?
I've looked for my card everywhere.
I must have lost my card (at {place}|on the train|{ago}).
stolen card, please block it right now
my card got stolen, what should I do?
I'd like to have my stolen card (replaced|stopped|blocked).
could (somebody|someone) block my card, it was stolen {ago}?
stolen card
please stop my card right now, a thief took it.
how can I report that my card is gone?
someone took my purse and my card was in it.
""", """
I (don't know|have no clue) where my card (is|went|could be).
my card disappeared (at {place}|{ago}), what should I do?
I dropped my wallet at {place} with the card inside.
I'd like my (lost|stolen|missing) card (replaced|frozen).
I've looked (everywhere|at home and in the car) and my card is (missing|gone).
the card isn't (blocked|frozen) yet, but (I lost it|it was stolen), please (freeze|stop) it.
is there a way to (freeze|block) a card that got (lost|stolen)?
I must have left my card at {place}.
I can't find my card (anywhere|at home), can you (block|freeze|replace) it?
(where|when|to whom) do I report a (stolen|lost) card?
""")

intent("card_declined", "card", """
my card (was|got|has been) (declined|refused|rejected) (at {place}|{ago}|).
why (was|is) my card (being |)(declined|refused|rejected)?
my card (doesn't|won't) work (at {place}|online|).
I tried to pay (at {place}|{amount}|online) and it (didn't work|was declined|failed).
the payment (failed|didn't go through|was refused) (at {place}|{ago}|).
I can't pay with my card (at {place}|), it keeps getting (declined|refused).
the cash machine refused my card {ago}.
I have enough money, so why was my payment of {amount} declined?
the terminal at {place} says card not accepted.
what do I do if my card is (declined|refused)?
card declined at {place}
my limit is high enough, but the card was refused anyway.
I have my card with me, it just doesn't work (at {place}|).
it was embarrassing, my card didn't go through at {place}.
can you tell me why the payment at {place} failed?
my card used to work, but since {day} every payment fails.
the website keeps rejecting my card.
I want to know why my card wasn't accepted (at {place}|{ago}).
they wouldn't take my card at {place}.
I get an error (each time I pay|when I use my card) at {place}.
my new card is active, but payments get refused.
the cash machine won't give me money.
is there a problem with my card? it was refused twice {ago}.
contactless isn't working with my card.
I tried three times to pay {amount} and every time it was rejected.
(could you|please) tell me why my card (isn't working|gets refused|was declined).
why can't I pay (at {place}|online|{amount}) with my card?
my payment (at {place}|of {amount}) (was rejected|keeps failing|didn't work).
I (couldn't|wasn't able to) pay (at {place}|with my card {ago}).
for some reason my card is (refused|declined|rejected) every time.
the machine (won't take|refuses|rejected) my card.
it's not lost or stolen, my card just isn't accepted.
there's enough money in my account, but my card (fails|gets rejected|was refused).
I tried to use my card at {place} and it failed.
they told me that my payment didn't go through.
payment failed at {place}
is my card blocked? it doesn't work at {place}.
the card is active, so why doesn't it work?
could (somebody|someone) tell me why my card isn't working?
my card keeps failing (at {place}|online).
why can't I pay with my card at {place}?
I tried to buy something for {amount} and the card didn't go through.
at {place} they told me my card was declined.
""", """
I couldn't pay at {place}, the card was refused.
payment of {amount} refused
it's not lost, I have the card (here|with me), but it (gets|is|was) declined.
for what reason was my payment rejected {ago}?
the machine at {place} won't accept my card.
every payment I (try|make) (is|gets) declined.
my card was (rejected|declined) even though (there's money in my account|I just got paid).
the card is active and the limit is (fine|high enough), so why (does it not work|do payments fail)?
I'd like to know why the payment (failed|was refused|didn't work).
my card got refused twice at {place}.
""")

intent("card_limit", "card", """
I (want|need|would like|'d like) to (raise|increase|change|lower) (my card limit|the limit on my card|my spending limit).
(please |)(raise|increase|lower|set) my card limit to {amount}.
what is (my card limit|the limit on my card|my daily limit)?
how much can I (spend|pay|withdraw) with my card (per day|in one day|each month)?
can (you|I) (raise|increase|change) the daily limit (to {amount}|)?
how do I (change|see|raise) my (card|spending|daily) limit?
I want to spend more than my limit allows, can you (raise|increase) it?
how much cash can I take out (per day|at once|abroad)?
I need to pay {amount} at once, can you set my limit higher for a day?
what's the most I can pay with my card (at once|in a day)?
my limit is too low, (please raise it|I need {amount} a day).
is {amount} over my daily limit?
limit to {amount} please
I'd like a lower limit so that I don't spend too much.
can I set a different limit for online payments?
is there a maximum for cash withdrawals?
my card wasn't declined, I just want a higher limit.
I'm buying a car, is it possible to raise the limit for {day}?
can I have a limit of {amount} on my card?
how high is my limit right now?
please put my limit back to {amount}.
what happens if I go over my card limit?
I'd like to know the maximum I can withdraw with my card.
can my daughter's card have a limit of {amount}?
does my card have a spending limit?
(could you|please) (raise|increase|lower) the (daily|online|spending) limit of my card.
what's the maximum I can (withdraw|pay) (per day|at once|abroad)?
am I able to (pay|withdraw) (more than {amount}|{amount}) (a day|at once)?
tell me (my limit|what my card limit is).
I need a (higher|lower) (limit|daily limit) (for {day}|on my card|).
is it possible to (spend|withdraw) {amount} in one day?
I'd like to have my limit (increased|raised|lowered) to {amount}.
where can I (see|change) my limit?
how much cash am I allowed to (withdraw|take out) per day?
I want my (daily|online|spending) limit (higher|lower).
higher limit please
nothing is wrong with my card, I only want a higher limit.
could (somebody|someone) raise the limit on my card?
nothing was declined, I only want to change my daily limit.
tell me how high my card limit is.
how much am I able to pay with my card at once?
I want my online limit to be {amount}.
""", """
what's the maximum I can (spend|pay) in one (day|week|go)?
limit too low, please (increase it|raise it|make it higher)
I'd like my spending limit set to {amount}.
am I allowed to withdraw more than {amount} a day?
is it possible to have a higher limit (while I'm abroad|for one day|for a week)?
please make my (card|daily|online) limit (lower|higher).
I need a higher limit for a payment of {amount} on {day}.
up to how much cash can I (withdraw|take out) per (day|week)?
where do I (see|find|check) the limit of my card?
can I (go over|pay more than) my limit (for a day|on {day})?
""")

intent("card_activate", "card", """
I (want|need|would like|'d like) to activate my (new |)card.
how do I (activate|switch on|start using) my (new |)card?
my new card (arrived|came) (in the post |){ago}, how do I activate it?
(please |)activate (my card|the card I got {ago}|the card ending in {last4}).
can (you|I) activate my card (in the app|online|by phone|)?
I got (my|a) new card {ago}, what do I do (now|next|to use it)?
activate card
my new card isn't active yet, (can you switch it on|what do I need to do)?
do I need to activate my card before I can use it?
where do I find the code to activate my card?
I received my replacement card, please turn it on.
the card came {ago} and I'd like to start using it.
the activation code for my card (doesn't work|is wrong|never came).
I can't activate my new card in the app.
I found my old card again but want to activate the new one.
my card has arrived, now I have to activate it, right?
is my new card already active?
new card is here, how does it get activated?
I'd like to use my new card for the first time.
I want to get my card ready before my trip, it's not activated.
can you turn on the new card that came in the post?
what's needed to activate a replacement card?
how long does it take until my new card is active?
I opened the letter with my new card, what's the first step?
do I activate the card at a cash machine?
(could you|please) (turn on|switch on|activate) the new card (that came {ago}|).
what's the (next|first) step to (use|activate) my new card?
does my (new|replacement) card have to be activated?
which code do I need to (activate|switch on) my card?
I've got my new card, how can I use it?
has the card I received {ago} been activated?
the app won't (accept|take) the activation code.
I need to (activate|turn on|switch on) my replacement card.
is it possible to activate my card (by phone|online|in the app)?
new card came in the post, please activate it
what must I do with the new card I received?
it isn't lost, it's a new card that has to be switched on.
could (somebody|someone) switch on my new card?
new card, not active yet
does a new card have to be activated?
is it possible to activate the card in the app?
my card isn't lost, it's new, I just have to activate it.
""", """
the new card (came in the post|arrived|is here), what's the next step (to use it|now)?
please turn on the card ending in {last4}.
my replacement card arrived {ago} and I need to activate it.
I'd like to get my (new|replacement) card (working|ready) (for the first time|before {day}).
which (code|number|letter) do I need for activating my card?
I've got the letter with my (new |)card, how can I (start using|activate) it?
the (app|website|phone line) won't let me activate my (new |)card.
what must I do before I can (use|pay with) my new card?
can I activate the card I received {ago} by phone?
has my (new|replacement) card been (activated|switched on) yet?
""")

intent("dispute_charge", "card", """
there's a (charge|payment) of {amount} (on my card|) I (don't recognize|didn't make).
I (was|got) charged twice (at {place}|for the same thing|{ago}).
I (want|need|would like|'d like) to dispute a (charge|payment) (of {amount}|from {ago}|at {place}).
I didn't (make|approve) the payment of {amount}.
what is this charge of {amount} (on my card|from {ago})?
I don't know what the {cash} (charge|payment) at {place} is.
someone (used|paid with) my card without asking me.
(please |)take the {cash} charge off my card, it wasn't me.
I was at {place} {ago} and they charged me {amount} too much.
I see a strange payment on my (card|statement).
how do I dispute a (charge|payment)?
{place} charged me the wrong amount.
I paid {amount} at {place}, but my statement shows more.
why was I charged {amount}? I never bought anything.
I have my card here, but somebody else is paying with it online.
charged twice for the same thing
I cancelled the order, but my card was still charged {amount}.
there's a payment on my statement that isn't mine.
I never went to {place}, but there's a charge from there.
my payment went through two times, please fix that.
a payment I know nothing about was taken {ago}.
unknown charge of {amount} on my card
I paid cash at {place}, but my card was charged too.
the payment wasn't declined, it was charged twice.
I think there is fraud on my card, I see payments I didn't make.
(could you|please) (check|look into) a (charge|payment) (at {place}|of {amount}) I (don't know|didn't make|don't recognize).
(somebody|someone) paid {amount} with my card, it wasn't me.
{place} charged me {amount} (twice|two times|by mistake).
how can I (report|dispute) a (payment|charge) that isn't mine?
I've been charged (too much|twice|{amount}) (at {place}|) for something I never bought.
the payment of {amount} {ago} (isn't mine|is wrong|was never approved).
I don't recognize (this payment|the charge from {place}|{amount} on my statement).
{amount} was (taken|charged) (twice|by mistake|without asking me).
what's this payment on my (card|statement)?
I only paid {amount}, but {place} took more.
I never bought anything at {place}, why was I charged?
wrong amount charged at {place}
they took the payment twice, please check.
I have my card, it isn't stolen, but I see charges I know nothing about.
could (somebody|someone) look into a charge of {amount} that isn't mine?
{place} took the payment two times.
how can I report a payment I didn't approve?
what's this strange {cash} payment on my statement?
they charged me twice, I want that fixed.
""", """
I don't recognize a payment from {ago}.
{amount} was taken from my card and it wasn't me.
(wrong|strange|unknown) charge on my (card|statement)
I've been charged for (something I never bought|a hotel I never went to|things I didn't buy).
the amount on my statement is too much, I only paid {amount} at {place}.
my card isn't (lost|stolen), but there's a payment (I didn't make|that isn't mine).
I'd like to dispute what {place} charged me.
somebody paid at {place} with my card and I know nothing about it.
I never bought anything for {amount}, why was I charged?
please check a payment at {place} that I don't recognize.
""")

# ---------------------------------------------------------------- money

intent("move_savings", "money", """
(please |)(move|transfer|put|send) {amount} from checking (to|into) savings.
I (want|need|would like|'d like) to (move|transfer|put) {amount} from my checking account into savings.
(move|transfer) money out of checking and into savings.
I want to save {amount} this month, (take|move) it from checking.
{amount} from checking to savings
I have too much in checking, move {amount} over to savings.
not from savings, to savings: {amount}.
can {amount} go to my savings every month from checking?
transfer to savings, {amount}, from checking, on {day}
on {day}, please move {amount} from checking into the savings account.
to savings from checking, {amount}
use checking to fill up my savings with {amount}.
shift {amount} from my checking account over to my savings account.
I'd like to have {amount} (moved|transferred|put) (from checking to|into) savings.
I want to (set aside|save) {amount}, (take it out of|use|move it from) my checking account.
from my checking account, (send|add|move) {amount} to savings.
let {amount} go from checking to savings on {day}.
I want {amount} to go (to savings from checking|from checking to savings|out of checking and into savings).
can you add {amount} to my savings, out of checking?
not out of savings, into savings, please: {amount}.
(please |)(move|transfer|take) {amount} (out of|from) my savings.
can (you|I) (move|transfer) {amount} to checking from savings?
put {amount} back in my checking account.
how do I (move|transfer) money from savings to checking?
{amount} to checking please
please add {amount} from my savings account to my checking account.
take {amount} out of savings and put it in checking.
deposit {amount} into checking using my savings account.
I'd like to top up checking with {amount} from savings.
my savings account has {amount} extra, put it into checking.
let's use some savings: {amount} to the checking account.
withdraw {amount} from savings and put it in checking.
(could you|can someone) (put|move|shift) {amount} (into|to) my checking account (from my savings account|out of savings|)?
{amount} out of savings, into checking
what's the best way to (move|put) money into checking from savings?
into checking, please: {amount} (from savings|out of savings|)
my checking account (needs|should get) {amount} from savings.
(please |)(move|shift|send) {amount} to checking (from|out of) savings.
from savings into checking, {amount} on {day}
could (somebody|someone) put {amount} from my checking account into my savings?
shift {amount} over to savings.
can I put {amount} into savings from checking on {day}?
out of savings and into checking: {amount} please
checking needs {amount} more, use my savings.
""", """
from checking to savings, {amount}
what's the way to transfer {amount} to savings from my checking account?
let me save {amount}, take it out of my checking account.
I want {amount} to leave checking and go to savings.
add {amount} to savings out of my checking account.
I'd like {amount} moved to checking.
I need to spend {amount}, please move it from savings.
please top up the checking account from savings with {amount}.
send {amount} over to my checking account on {day}.
not to savings, from savings to checking, {amount}
""")

intent("send_money", "money", """
(please |)send {amount} to {person}.
(please |)(send|pay|give) {person} {amount}.
I (want|need|would like|'d like) to (send|pay) {person} {amount}.
can (you|I) send {amount} to {person} (today|on {day}|)?
how do I send money to {person}?
I owe {person} {amount}, (please send it|can I pay that here)?
pay {person} back {amount} (for {reason}|).
transfer {amount} to {person}'s account.
{person} paid for {reason}, so I want to pay back {amount}.
{person} sent me a bill for {reason}, please pay {amount}.
send {person} the {amount} I owe for {reason}.
{amount} to {person} please
pay {amount} to {person} from my checking account.
make a payment of {amount} to {person} on {day}.
I have to pay my share, {amount}, to {person}.
{person} lent me {amount}, I'm paying it back now.
wire {amount} to {person}.
I don't want to ask for money, I want to send {person} {amount}.
send my half of the bill, {amount}, to {person}.
set up a payment of {amount} to {person} every month.
is it free to send money to {person}?
accept the request from {person} and pay {amount}.
I borrowed {amount} from {person} and want to pay it back.
(could you|can someone) (send|wire|pay) {person} {amount} (for me|from my account|)?
I'd like to (send|wire|transfer) {amount} to {person}.
I (need|have) to (send|give|wire) {person} {amount} (on {day}|today|).
what's the way to send {amount} to {person}?
I owe {person} money for {reason}, pay {amount}.
my share is {amount}, (send|transfer) it to {person}.
to {person} please, {amount}
I borrowed money, pay back {amount} to {person}.
not asking for money, I'm paying {person} {amount}.
I want to give {person} {amount} for {reason}.
could (somebody|someone) send {amount} from me to {person}?
{person} should get {amount} from me.
let me give {person} {amount}.
{person} asked me to pay {amount}, please do that.
I borrowed {amount} {ago}, pay it back to {person}.
(please |)make a (payment|transfer) to {person} (for {reason}|of {amount}).
send {person} (some money|{amount}) for {reason}.
how (long does it take|much does it cost) to send (money|{amount}) to {person}?
schedule a transfer of {amount} to {person} for {day}.
I'd like to (split|settle) the bill and (send|pay) {person} {amount}.
(use my checking account to pay|pay from checking) {person} {amount}.
did my (payment|transfer) to {person} go out (on {day}|)?
""", """
I'd like to pay {person} back for {reason}, it's {amount}.
to {person}, {amount}
I need to pay {amount} to {person} on {day}.
what's the way to pay {person} {amount}?
please wire {person} {amount} today.
I owe {person} for {reason}, send {amount}.
not a request, I'm sending {person} {amount}.
transfer my share of {amount} to {person}.
my half is {amount}, please pay {person}.
I owe {person} some money, I want to send {amount}.
""")

intent("request_money", "money", """
(please |)request {amount} from {person}.
(please |)ask {person} for {amount}.
I (want|need|would like|'d like) to request {amount} from {person}.
can (you|I) ask {person} to (send|pay) me {amount}?
how do I (request|ask for) money from {person}?
{person} owes me {amount}, (please ask for it|can I get that here|send a reminder).
ask {person} to pay me back {amount} (for {reason}|).
I asked {person} for {amount}, please send a reminder.
tell {person} to send me the {amount} for {reason}.
{amount} from {person} please
collect {amount} from {person} for my checking account.
send a payment request of {amount} to {person} on {day}.
I lent {person} {amount}, I want it back now.
send {person} a bill for {amount}.
I don't want to send money, I want {person} to send me {amount}.
ask {person} for half of the bill, {amount}.
set up a request for {amount} from {person} every month.
is it free to request money from {person}?
remind {person} to pay me {amount}.
{person} borrowed {amount} from me and I want it back.
(could you|can someone) (ask|remind) {person} to (send|pay) me {amount}?
I'd like to (request|ask for|collect) {amount} from {person}.
{person} (needs|has) to (send|give|pay) me {amount} (on {day}|today|).
what's the way to request {amount} from {person}?
I want {amount} from {person}, (please ask|send a request).
{person} owes me money for {reason}, request {amount}.
their share is {amount}, (ask|remind) {person} to pay it.
from {person} please, {amount}
{person} borrowed money, get back {amount} from them.
not sending money, I'm asking {person} for {amount}.
I want {person} to give me {amount} for {reason}.
could (somebody|someone) ask {person} to send {amount} to me?
I should get {amount} from {person}.
let {person} know that I want {amount} back.
I told {person} to pay {amount}, please remind them.
{person} borrowed {amount} from me {ago}, please ask for it.
(please |)make a (payment request|money request) to {person} for {amount}.
ask {person} to split the bill for {reason}.
how (long does it take|much does it cost) to request money from {person}?
schedule a reminder for {person} to pay me {amount}.
(create|send) a payment link so that {person} can pay me {amount}.
did {person} accept my request for {amount}?
{person} hasn't paid me back for {reason}, please remind them.
(cancel|repeat|change) my money request to {person}.
""", """
I'd like to ask {person} to pay me back for {reason}, it's {amount}.
from {person}, {amount}
{person} owes me {amount}, ask them to pay on {day}.
what's the way to ask {person} for {amount}?
please send {person} a request for {amount} today.
{person} owes me for {reason}, ask for {amount}.
not a payment, I'm requesting {amount} from {person}.
ask for {person}'s share of {amount} for {reason}.
their half is {amount}, please request it from {person}.
I lent {person} some money, please remind them to pay back {amount}.
""")

intent("check_balance", "money", """
what's (my balance|the balance of my account|my savings balance)?
how much money (do I have|is in my account|is left in checking|is in my savings)?
(please |)(show|tell) me my balance.
can (you|I) (see|check) my (balance|account balance|checking balance)?
I (want|need|would like|'d like) to (know|check|see) my (balance|savings balance).
how much is (left|there) (in my checking account|in savings|on my account)?
do I have enough money for {amount}?
is there {amount} in my (checking|savings) account?
balance please
how do I check my balance?
how much have I saved (so far|this month|)?
did the {amount} from {person} arrive in my account?
how much money can I spend until {day}?
what do I have in checking and savings together?
has my salary come in yet?
I don't want to transfer anything, just tell me my balance.
do I have more than {amount} in savings?
what's left after I paid {amount} at {place}?
show my last payments and how much is left.
I'd like to see how much is in checking.
where can I see my account balance?
am I below {amount} already?
is there enough in checking to pay the rent?
how much did I have in my account {ago}?
what's the amount in my savings account now?
(could you|please) (check|show me) (my balance|what's in my savings|how much I have in checking).
I'd like to (know|see) (how much I have|what's left|what's in my account).
have I got enough (money|in checking) for {amount}?
has (my salary|the money from {person}|{amount}) (come in|arrived) yet?
how much (was|is) in (checking|savings|my account) (now|{ago}|)?
is my balance (above|below) {amount}?
where do I find my balance?
no payment, just show me (the balance|what I have).
account balance please
will there be enough in my account on {day}?
tell me how much is left (in savings|in checking|in my account).
what do I have left this month?
could (somebody|someone) tell me how much is in my account?
I'd like to know how much money I have.
where do I see what's left in my account?
has the {amount} from {person} come in yet?
please check the balance of my checking account.
""", """
what's (left|there) in (checking|my checking account)?
(savings|checking) balance (please|)
have I got {amount} in checking?
how much was in my savings {ago}?
no transfer, I only want to (see|know) (the|my) balance.
is my account above {amount}?
tell me what I have in (savings|checking|my account).
will my money be enough for {amount} on {day}?
how much money is there in (savings and checking|both accounts|my savings account)?
what was my balance {ago}?
""")

# ---------------------------------------------------------------- account

intent("reset_password", "account", """
I (forgot|can't remember|lost) my password.
(please |)reset my password.
how do I (reset|change) my password?
I (want|need|would like|'d like) to (reset|change) my password.
I can't (log in|sign in|get into my account) (anymore|since {day}|).
my password (doesn't work|is wrong|isn't accepted).
the app says (wrong password|my account is locked).
can you send me a (new password|reset link|reset email)?
the reset (link|email) (never came|doesn't work|has expired).
I'm locked out of my (account|profile|app).
I typed the wrong password too many times.
forgot password
I don't know my login anymore.
I (got a new phone|changed my email) and can't sign in.
I have to choose a new password, where do I do that?
what do I do if I can't log in?
don't close my account, I only forgot my password.
help, I can't get in, it doesn't accept my password.
I'd like a stronger password for my account.
the website won't let me log in.
someone may know my password, I want a new one.
where can I set a new password?
the login code never arrives on my phone.
unlock my account, please, I tried my password three times.
I can't remember what password I used for the app.
(could you|please) send me (a link for a new password|another reset email|a new login code).
I (don't|can't) remember (my login|how to sign in|which password I chose).
I'm not able to (sign in|log in|get in).
(logging in|signing in) (fails|isn't possible) since {day}.
how can I (choose|set) a new password?
my (login|account) is locked, (please unlock it|what now).
I want to keep using my account but can't log in.
where do I change my password?
I've forgotten my password (again|for the app).
the app (won't accept|rejects) my password.
the link to reset my password (has expired|doesn't open).
new password please
I think my password was stolen, I want to change it.
could (somebody|someone) send me a link to reset my password?
I'm not able to log in to the app.
I want to keep my account, I just can't log in.
no reset email has arrived, can you send a new one?
I've forgotten how to sign in to my account.
""", """
I don't remember (my password|the password I chose|what my password was).
(password reset|new login|reset link) please
my (account|login) is locked after (three tries|too many tries).
how can I get a (new|different) password (for the app|)?
(signing|logging) in doesn't work (anymore|on my new phone).
the (app|website|login page) doesn't accept my (new |)password.
where do I go to (change|reset) my password?
please unlock my (login|profile), (I can't get in|I forgot the password).
the link for (a new|resetting my) password (has expired|never came).
I think (someone|somebody) knows my password, (how|where) do I change it?
""")

intent("close_account", "account", """
I (want|need|would like|'d like) to (close|delete) my account.
(please |)(close|delete|remove) my (account|profile).
how do I (close|delete) my account?
can (you|I) (close|delete) my account (today|in the app|)?
I don't want (to be a customer|an account with you|to use your shop) anymore.
(please |)delete all my data.
I'm leaving, (close everything|please close my account).
close account
what happens to my money if I close my account?
I want to leave and (have my data deleted|get rid of my account).
I no longer need my account.
I made two accounts by mistake, delete one of them.
I don't want to cancel an order, I want to close my account.
please end my contract with you by {day}.
I'm moving abroad and have to close my account.
how long does it take to close an account?
remove me from your system (please|completely|).
I forgot my password, but I don't need a new one, just delete the account.
can my account be closed if I still have an order?
I'd like to stop being a customer.
shut down my account, please.
is there a way to delete my profile for good?
take my name and address out of your system.
I'm switching to another bank, so I don't need this account.
I've had enough, delete my account.
(could you|please) (shut down|delete|close) my (account|profile) (for good|completely|).
I'm done, (close|delete|end) my account.
how can I (leave|stop being a customer|end my contract)?
I'd like to have my (account closed|(account|data|profile) (deleted|removed)).
is it possible to (close my account|delete my (profile|data))?
I don't (need|want) my account anymore.
please (get rid of|remove) my profile and all my data.
do you delete my data if I close my account?
account deletion please
before I move, I'd like to close my account.
I have a second account, please close that one.
not a new password, I want to leave, close the account.
I'm leaving for another bank, end my contract please.
could (somebody|someone) close my account for me?
I don't need this account anymore.
not the password, I want the whole account deleted.
I don't want to be in your system anymore.
I have two accounts, please close one.
""", """
I'm done with (your shop|your app|you), (delete my profile|close my account).
(account closure|account removal|profile deletion) please
please (get rid of|delete) all the data you have (about me|on me|of mine).
how can I leave and (end my contract|close everything)?
I'd like to have my (account|profile) shut down (by {day}|for good|).
is it possible to close my account by {day}?
can my (profile|account|data) be removed (completely|from your system)?
what do I do (to stop being a customer|if I want to leave)?
before I (switch to another bank|move abroad), I want (to close this account|my account closed).
will my (data|name and address|profile) be deleted when I leave?
""")

intent("talk_to_human", "account", """
I (want|need|would like|'d like) to (talk|speak) to (a human|a person|an agent|someone).
can (I|you let me) (talk|speak) to a (real |)(person|human)?
(please |)(connect|transfer) me (to|with) (an agent|customer service|a colleague).
I don't want to talk to a (bot|machine|computer).
are you a (bot|robot|real person)?
is there a (phone number|number) I can call?
how do I reach (customer service|your support team|a human)?
can someone call me (back|{time}|on {day})?
human please
agent
you don't understand me, I want a (real |)person.
what are your opening hours on the phone?
this isn't helping, let me (talk|speak) to somebody.
put me through to (your manager|a colleague|someone in support).
please have someone from support (call|write to) me.
I've explained this three times to a machine, give me a human.
do you have a hotline?
when can I (talk|speak) to (an agent|a human)?
I want to (make a complaint to|talk to) your manager.
could I chat with a (person|human) instead of a bot?
none of your answers help, get me an agent.
live chat please
I'd rather (talk|speak) to someone on the phone.
is anybody there, or am I chatting with a (computer|robot)?
can a (colleague|human) take over this chat?
what number do I call for (help|support)?
I have to explain this to a real person.
(could you|please) give me the number of your hotline.
I need a person, not a (bot|robot).
who can I (speak|talk) to about this?
could (somebody|someone) from support call me?
which number can I call to reach you?
connect me to your support team
you're not helping, I need your manager.
get me a colleague, please.
""", """
let me speak with (a real human|a real person|your manager), please.
am I (talking|speaking) to a (machine|computer|human)?
I don't want a (bot|robot), give me (a person|an agent).
how can I get (a real person|an agent|someone) on the phone?
is it possible to talk to (an agent|a person) {time}?
I'd like someone to call me back on {day}.
do you have a (phone number|hotline) for (customer service|support)?
I'd rather (chat|speak) with a human than with a (computer|machine).
is there a (person|human|colleague) in this chat?
put (a human|an agent) on, (I don't understand your answers|you don't understand me).
""")


# ---------------------------------------------------------------- making sentences

_GROUP = re.compile(r"\(([^()]*)\)")
_SLOT = re.compile(r"\{([a-z]+)(2|4)?\}")


def choose(pattern, rng):
    """Replace every group by one of its alternatives, innermost first."""
    while True:
        found = _GROUP.search(pattern)
        if not found:
            return pattern
        pattern = pattern[:found.start()] + rng.choice(found.group(1).split("|")) + pattern[found.end():]


def fill(text, rng):
    """Fill the slots; a slot named twice has one value, ``{day2}`` differs from ``{day}``."""
    values = {}

    def value(match):
        slot, name = match.group(0), match.group(1)
        if slot not in values:
            if name == "oid":
                values[slot] = rng.choice(["#%d", "%d", "no. %d"]) % rng.randint(10000, 99999)
            elif name == "last":
                values[slot] = "%04d" % rng.randint(0, 9999)
            else:
                values[slot] = rng.choice([v for v in SLOTS[name] if v not in values.values()])
        return values[slot]

    text = _SLOT.sub(value, text)
    for wrong, right in (("I 'd", "I'd"), (" a extra ", " an extra "), ("from on ", "from ")):
        text = text.replace(wrong, right)
    text = re.sub(r"\s+", " ", text)
    text = re.sub(r"\s+([.,?!:])", r"\1", text)
    return text.strip()


def goods(text):
    """The slots in a text that name something bought."""
    return {m.group(0) for m in _SLOT.finditer(text)
            if m.group(1) in ("item", "items", "wear", "wears", "gadget", "thing", "things", "fabrics")}


def upper_first(text):
    return text[:1].upper() + text[1:]


def typo(text, rng):
    """One slip of the keyboard in one of the longer words."""
    words = text.split(" ")
    places = [i for i, w in enumerate(words) if len(w) >= 5 and w.isalpha()]
    if not places:
        return text
    i = rng.choice(places)
    w = words[i]
    k = rng.randrange(1, len(w) - 1)
    kind = rng.choice(["swap", "drop", "double"])
    if kind == "swap":
        w = w[:k] + w[k + 1] + w[k] + w[k + 2:]
    elif kind == "drop":
        w = w[:k] + w[k + 1:]
    else:
        w = w[:k] + w[k] + w[k:]
    words[i] = w
    return " ".join(words)


def sentence(pattern, family, rng):
    """One sentence, and its core: the sentence without lead-in, greeting, closing and noise."""
    text = choose(pattern, rng)
    if re.match(r"(could|can|will|would) [^.?]*\.$", text):
        text = text[:-1] + "?"
    kind = "n" if len(text.split()) <= 4 else "q" if text.endswith("?") else "s"
    style = rng.random()
    mark = "~"  # stands between what is added in front and the sentence proper
    if style < 0.12 and kind != "n":
        # The lead-in must not talk about another product or another day than the sentence.
        leads = [x for x in LEADS[family]
                 if (not goods(x) or not goods(text) or goods(x) == goods(text))
                 and not ("{ago}" in x and "{ago}" in text) and not ("{day}" in x and "{day}" in text)]
        text = upper_first(rng.choice(leads)) + " " + mark + upper_first(text)
    elif style < 0.30:
        text = upper_first(rng.choice([g for g in GREETINGS if kind in GREETINGS[g]])) + " " + mark + text
    else:
        text = mark + text
    front, core = fill(text, rng).split(mark)
    text = upper_first(front + core)
    text = re.sub(r"([.?!] )([a-z])", lambda m: m.group(1) + m.group(2).upper(), text)
    if rng.random() < 0.10 and text[-1] in ".?!":
        text = text + " " + rng.choice([c for c in CLOSINGS if kind in CLOSINGS[c]])
    if rng.random() < 0.15:
        text = text.lower().rstrip(".?!")
        if rng.random() < 0.5:
            text = text.replace("'", "")
    if rng.random() < 0.06:
        text = typo(text, rng)
    return text, core


def key(text):
    """Two texts with the same key count as duplicates: case, punctuation, spaces do not matter."""
    return " ".join(re.findall(r"[a-z0-9#$.]+", text.lower().replace("'", ""))).replace(".", "")


def phrasings(name, split):
    """The phrasings for a split: (those of training, those never used in training)."""
    _, train, held_out = INTENTS[name]
    if split == "train":
        return train, []
    # A known phrasing is used for testing only when it can be worded or filled in several ways.
    known = [p for p in train if "{" in p or p.count("|") >= 3]
    return known, [p for i, p in enumerate(held_out) if (i % 3 == 2) == (split == "validation")]


def draw(patterns, wanted, family, rng, texts, cores, repeats):
    """``wanted`` sentences, every phrasing about equally often.

    ``texts`` and ``cores`` hold what was made before, in this split and in the others.
    """
    made, patterns = [], list(patterns)
    here = {}
    for _ in range(200):
        rng.shuffle(patterns)
        for pattern in patterns:
            if len(made) == wanted:
                break
            text, core = sentence(pattern, family, rng)
            if key(text) in texts or key(core) in cores or here.get(key(core), 0) >= repeats:
                continue
            texts.add(key(text))
            here[key(core)] = here.get(key(core), 0) + 1
            made.append(text)
        if len(made) == wanted:
            cores.update(here)
            return made
    raise SystemExit(f"too few different sentences: {len(made)} of {wanted}, e.g. {made[:1]}")


def build():
    texts, cores = set(), set()
    out = {}
    for split in ("test", "validation", "train"):
        rows = []
        for name in sorted(INTENTS):
            # A generator of its own for each (split, intent): editing one intent leaves the others alone.
            digest = hashlib.sha256(f"{SEED}/{split}/{name}".encode()).digest()
            rng = random.Random(int.from_bytes(digest[:8], "big"))
            family = INTENTS[name][0]
            known, unseen = phrasings(name, split)
            repeats = 2 if split == "train" else 1
            made = draw(unseen, UNSEEN[split], family, rng, texts, cores, repeats) if unseen else []
            made += draw(known, ROWS[split] - len(made), family, rng, texts, cores, repeats)
            rows += [{"text": text, "intent": name} for text in made]
        random.Random(f"{SEED}/{split}").shuffle(rows)
        out[split] = "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows)
    return out


def main():
    parser = argparse.ArgumentParser(description="Write the quickstart data files.")
    parser.add_argument("--check", action="store_true", help="compare only, write nothing")
    args = parser.parse_args()
    here = Path(__file__).resolve().parent
    wrong = []
    for split, text in build().items():
        path = here / f"{split}.jsonl"
        data = text.encode("utf-8")
        if args.check:
            if not path.is_file() or path.read_bytes() != data:
                wrong.append(path.name)
        else:
            path.write_bytes(data)
            print(f"{path.name}: {len(text.splitlines())} rows")
    if wrong:
        print("differs from what build.py writes: " + ", ".join(sorted(wrong)), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
