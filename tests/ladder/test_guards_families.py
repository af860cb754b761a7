"""Families of questions that differ in one thing: no two of a family ask the same."""

from itertools import combinations

import pytest

from failsoft.ladder.paraphrase.same_question import difference

# One family a line.
FAMILIES = {
    "es": """
¿Cuánto pago? | ¿Cuánto pagué? | ¿Cuánto pagaré? | ¿Cuánto pagaba? | ¿Cuánto pagaría? | \
¿Cuánto he pagado?
¿Cuándo recibo mi pedido? | ¿Cuándo recibí mi pedido? | ¿Cuándo recibiré mi pedido? | \
¿Cuándo he recibido mi pedido? | ¿Cuándo recibía mi pedido?
¿Abren los sábados? | ¿Abrieron los sábados? | ¿Abrirán los sábados? | ¿Abrían los sábados? | \
¿Han abierto los sábados?
¿Cuánto cuesta el seguro? | ¿Cuánto costó el seguro? | ¿Cuánto costará el seguro? | \
¿Cuánto costaba el seguro? | ¿Cuánto ha costado el seguro?
¿Está abierta la tienda? | ¿Estaba abierta la tienda? | ¿Estará abierta la tienda? | \
¿Estuvo abierta la tienda? | ¿Ha estado abierta la tienda?
¿Tengo que pagar? | ¿Tuve que pagar? | ¿Tendré que pagar? | ¿Tenía que pagar? | \
¿Tendría que pagar?
¿Puedo pagar? | ¿Podré pagar? | ¿Pude pagar? | ¿Podía pagar?
¿Hay plazas? | ¿Había plazas? | ¿Habrá plazas? | ¿Hubo plazas?
¿Cuánto tarda el envío? | ¿Cuánto tardó el envío? | ¿Cuánto tardará el envío?
¿Necesito visado? | ¿Necesité visado? | ¿Necesitaré visado? | ¿Necesitaba visado?
¿Es gratis? | ¿Era gratis? | ¿Será gratis? | ¿Fue gratis? | ¿Sería gratis?
¿Qué documentos hacen falta? | ¿Qué documentos hicieron falta? | ¿Qué documentos harán falta?
¿Debo pagar? | ¿Debía pagar? | ¿Deberé pagar? | ¿Debería pagar?
¿Cómo cancelo mi cita? | ¿Cómo cancelé mi cita? | ¿Cómo cancelaré mi cita?
¿Quién paga? | ¿Quién pagó? | ¿Quién pagará? | ¿Quién pagaba?
¿Qué hago? | ¿Qué hice?
¿Tienen wifi? | ¿Tenían wifi? | ¿Tendrán wifi? | ¿Tuvieron wifi?
¿Dónde está mi pedido? | ¿Dónde estaba mi pedido? | ¿Dónde estará mi pedido?
¿Cuál es el plazo? | ¿Cuál era el plazo? | ¿Cuál será el plazo? | ¿Cuál fue el plazo?
¿Qué incluye el desayuno? | ¿Qué incluía el desayuno? | ¿Qué incluirá el desayuno?
¿Aceptan perros? | ¿Aceptaban perros? | ¿Aceptarán perros?
¿Me devuelven el dinero? | ¿Me devolvieron el dinero? | ¿Me devolverán el dinero? | \
¿Me han devuelto el dinero?
¿Cómo pago? | ¿Cuándo pago? | ¿Dónde pago? | ¿Por qué pago? | ¿A quién pago? | ¿Qué pago? | \
¿Cuánto pago? | ¿Cada cuánto pago? | ¿Puedo pagar? | ¿Debo pagar? | ¿Quién paga? | \
¿Hasta cuándo pago? | ¿Desde cuándo pago? | ¿No puedo pagar? | ¿No pago? | ¿Me pagan? | \
¿Cómo me pagan? | ¿Cuándo me pagan? | ¿Pagan ustedes? | ¿Para qué pago? | ¿Con qué pago? | \
¿Cuántos pago? | ¿Cuánto tiempo pago?
¿Puedo cancelar el viaje? | ¿Puedo cancelar antes del viaje? | \
¿Puedo cancelar después del viaje? | ¿Puedo cancelar sin viaje? | \
¿Puedo cancelar todos los viajes? | ¿Puedo cancelar el último viaje? | \
¿Puedo cancelar el primer viaje? | ¿Puedo cancelar el viaje el lunes? | \
¿Puedo cancelar el viaje en mayo? | ¿Puedo cancelar el viaje en 5 días? | \
¿Puedo cancelar el viaje a los 5 días? | ¿Puede mi jefe cancelar el viaje? | \
¿Pueden cancelar el viaje? | ¿Puedo reservar el viaje? | ¿Puedo cancelar el viaje a Roma? | \
¿Puedo cancelar el viaje de Roma? | ¿Puedo cancelar el viaje desde Roma? | \
¿Puedo cancelar el viaje en Roma? | ¿Puedo cancelar el viaje por Roma? | \
¿Puedo cancelar otro viaje? | ¿Puedo cancelar dos viajes? | ¿Puedo cancelar solo el viaje? | \
¿Puedo cancelar el viaje si llueve? | ¿Puedo cancelar el viaje gratis? | \
¿Puedo cancelar su viaje? | ¿Puedo cancelar este viaje? | ¿Puede cancelarse el viaje?
¿Puede el inquilino denunciar al propietario? | ¿Puede el propietario denunciar al inquilino? | \
¿Puedo denunciar al propietario? | ¿Puede el propietario denunciarme?
""",
    "de": """
Wie viel zahle ich? | Wie viel zahlte ich? | Wie viel werde ich zahlen? | \
Wie viel habe ich gezahlt? | Wie viel hatte ich gezahlt?
Wann öffnet das Amt? | Wann öffnete das Amt? | Wann wird das Amt öffnen? | \
Wann hat das Amt geöffnet? | Wann hatte das Amt geöffnet?
Was kostet der Pass? | Was kostete der Pass? | Was wird der Pass kosten? | \
Was hat der Pass gekostet? | Was würde der Pass kosten?
Ist das Amt offen? | War das Amt offen? | Wird das Amt offen sein?
Muss ich zahlen? | Musste ich zahlen? | Müsste ich zahlen? | Werde ich zahlen müssen?
Kann ich zahlen? | Konnte ich zahlen? | Werde ich zahlen können?
Wie lange dauert es? | Wie lange dauerte es? | Wie lange wird es dauern? | \
Wie lange hat es gedauert?
Bekomme ich Geld? | Bekam ich Geld? | Habe ich Geld bekommen? | Werde ich Geld bekommen?
Gibt es Plätze? | Gab es Plätze? | Wird es Plätze geben?
Wie hoch ist die Gebühr? | Wie hoch war die Gebühr? | Wie hoch wird die Gebühr sein?
Wo ist mein Paket? | Wo war mein Paket?
Wird mein Antrag bearbeitet? | Wurde mein Antrag bearbeitet? | Ist mein Antrag bearbeitet worden?
Wie zahle ich? | Wann zahle ich? | Wo zahle ich? | Warum zahle ich? | Wen zahle ich? | \
Was zahle ich? | Wie viel zahle ich? | Wie lange zahle ich? | Wie oft zahle ich? | Zahle ich? | \
Kann ich zahlen? | Muss ich zahlen? | Soll ich zahlen? | Wer zahlt? | Wohin zahle ich? | \
Woher zahle ich? | Seit wann zahle ich? | Bis wann zahle ich? | Ab wann zahle ich? | \
Kann ich nicht zahlen? | Zahle ich nicht? | Werde ich bezahlt? | Zahlen Sie? | Zahlst du? | \
Will ich zahlen?
Kann ich die Reise stornieren? | Kann ich vor der Reise stornieren? | \
Kann ich nach der Reise stornieren? | Kann ich ohne Reise stornieren? | \
Kann ich die zweite Reise stornieren? | Kann ich alle Reisen stornieren? | \
Kann ich die letzte Reise stornieren? | Kann ich die nächste Reise stornieren? | \
Kann ich die Reise am Montag stornieren? | Kann ich die Reise im Mai stornieren? | \
Kann ich die Reise in 5 Tagen stornieren? | Kann ich die Reise nach 5 Tagen stornieren? | \
Kann ich die Reise bis 5 Tage vorher stornieren? | Kann mein Chef die Reise stornieren? | \
Können Sie die Reise stornieren? | Kann ich die Reise buchen? | \
Kann ich die Reise nach Rom stornieren? | Kann ich die Reise von Rom stornieren? | \
Kann ich die Reise über Rom stornieren? | Kann ich die Reise umbuchen? | \
Kann ich die Dienstreise stornieren? | Kann ich die Reise kostenlos stornieren? | \
Kann ich die Reise nur stornieren? | Kann ich die Reise wieder stornieren? | \
Kann ich zwei Reisen stornieren? | Kann ich die Reise stornieren, wenn es regnet? | \
Kann ich die Reise stornieren, weil es regnet?
Wie melde ich mich an? | Wie melde ich mich ab? | Wie melde ich mich um? | Wie melde ich mich? | \
Wie melde ich mich krank?
Kann der Mieter den Vermieter verklagen? | Kann der Vermieter den Mieter verklagen? | \
Kann ich den Vermieter verklagen? | Kann der Vermieter mich verklagen? | \
Kann der Mieter verklagt werden?
""",
    "en": """
How much do I pay? | How much did I pay? | How much will I pay? | How much have I paid? | \
How much had I paid? | How much would I pay? | How much was I paid? | How much am I paid?
When does the office open? | When did the office open? | When was the office opened? | \
When has the office opened?
Is the office open? | Was the office open? | Will the office be open? | Has the office been open?
Do I have to pay? | Did I have to pay? | Will I have to pay? | Have I had to pay?
Can I pay? | Could I have paid? | Was I able to pay?
What does it cost? | What did it cost? | What will it cost? | What has it cost? | \
What would it cost?
How long does it take? | How long did it take? | How long has it taken?
Are there seats? | Were there seats? | Will there be seats?
Who pays? | Who paid? | Who will pay?
Do I need a visa? | Did I need a visa? | Will I need a visa?
Am I entitled to leave? | Was I entitled to leave? | Will I be entitled to leave?
Is my parcel delivered? | Was my parcel delivered? | Will my parcel be delivered? | \
Has my parcel been delivered?
What is the fee? | What was the fee? | What will the fee be? | What has been the fee?
Do you have rooms? | Did you have rooms? | Will you have rooms?
Where is my order? | Where was my order? | Where has my order been?
Is there a fee? | Was there a fee? | Will there be a fee? | Has there been a fee?
How high is the tax? | How high was the tax? | How high will the tax be?
How do I pay? | When do I pay? | Where do I pay? | Why do I pay? | Who do I pay? | \
What do I pay? | How much do I pay? | How long do I pay? | How often do I pay? | Do I pay? | \
Can I pay? | Must I pay? | Should I pay? | Did I pay? | Will I pay? | What if I pay? | \
Until when can I pay? | Since when do I pay? | Why can't I pay? | Can't I pay? | Do I not pay? | \
Would I pay? | How many do I pay? | Have I paid? | Am I paid? | Who pays? | Whose pay? | \
May I be paid?
Can I cancel before the trip? | Can I cancel after the trip? | Can I cancel during the trip? | \
Can I cancel without the trip? | Can I cancel with the trip? | Can I cancel the trip? | \
Can I cancel my second trip? | Can I cancel every trip? | Can I cancel all trips? | \
Can I cancel no trip? | Can I cancel half the trip? | Can I cancel only the trip? | \
Can I cancel the trip twice? | Can I cancel two trips? | Can I cancel the last trip? | \
Can I cancel the next trip? | Can I cancel the trip again? | Can I cancel another trip? | \
Can I cancel other trips? | Can I cancel the trip today? | Can I cancel the trip on Monday? | \
Can I cancel the trip in May? | Can I cancel the trip at 5? | Can I cancel the trip by 5? | \
Can I cancel the trip for 5? | Can I cancel the trip in 5 days? | \
Can I cancel the trip within 5 days? | Can I cancel the trip after 5 days? | \
Can my boss cancel the trip? | Can you cancel the trip? | Can I have the trip cancelled? | \
Can the trip be cancelled for me? | Can the trip cancel? | Can I cancel the trip if it rains? | \
Can I cancel the trip unless it rains? | Can I cancel the trip because it rains? | \
Can I cancel the trip to Rome? | Can I cancel the trip from Rome? | \
Can I cancel the trip in Rome? | Can I cancel the trip via Rome? | Can I cancel Rome? | \
Can I uncancel the trip? | Can I change the trip? | Can I cancel the tripod? | \
Can I cancel the business trip? | Can I cancel the trip online? | \
Can I cancel the trip by phone? | Can I cancel the trip free? | \
Can I cancel the trip for a fee? | Can I cancel the trip in euros? | \
Can I cancel the trip up to 5 days before? | Can I cancel the trip 5 days before? | \
Can I cancel the trip less than 5 days before? | Can I cancel the trip more than 5 days before?
Is the room bigger than the hall? | Is the hall bigger than the room? | \
Is the room smaller than the hall? | Is the room as big as the hall? | \
Is the room the biggest? | Is the room big? | Is the room not bigger than the hall?
Do you lend money to students? | Do students lend money to you? | \
Do you borrow money from students? | Do you lend students money? | Does a student lend money? | \
Do you lend money to teachers? | Do I lend money to students?
""",
}


@pytest.mark.parametrize("locale", FAMILIES)
def test_no_two_of_a_family_ask_the_same(locale):
    families = [line.split(" | ") for line in FAMILIES[locale].strip().splitlines()]
    alike = [
        pair
        for family in families
        for pair in combinations(family, 2)
        if difference(*pair, locale=locale) is None
    ]
    assert alike == []


def test_the_families_are_large():
    sizes = [
        len(line.split(" | ")) for text in FAMILIES.values() for line in text.strip().splitlines()
    ]
    assert sum(size * (size - 1) // 2 for size in sizes) > 3000
